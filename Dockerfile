# syntax=docker/dockerfile:1
#
# The image of the product: one program for all parts (`shardset worker`, `gateway`, `operator` ...), the libraries it is linked with
# and the certificates to trust. No shell, and a user that is not root. `cargo xtask image` makes the same without an engine.
#
#   docker build --tag shardset:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/shardset:0.1.0 --push .
#
# Each platform is built by its own compiler, natively or emulated: there is C among the dependencies, and no second toolchain to keep.

# The Rust that the project is built and tested with. Without the tables of lines, which only a panic's backtrace needs, the program is
# a quarter as large.
FROM rust:1.95.0-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN --mount=type=cache,id=shardset-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=shardset-target-${TARGETARCH},target=/src/target \
    cargo build --release --locked --package shardset \
    && mkdir -p /image/usr/bin /image/etc/ssl/certs \
    && strip --strip-debug -o /image/usr/bin/shardset target/release/shardset
# What the program needs of a system: its loader and libraries where it looks for them, certificates to trust, a user.
RUN ldd /image/usr/bin/shardset | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory=/image \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' > /image/etc/passwd

FROM scratch
LABEL org.opencontainers.image.title="Shardset" \
      org.opencontainers.image.description="OTLP delta metrics in, right cumulative series out" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
# As a number, so that Kubernetes sees that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/bin/shardset"]
