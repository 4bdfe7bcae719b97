// Pause is what the one container of a pod's sandbox runs: nothing, until it is told to end.
//
// It holds the pod's namespaces open. Where a pod shares its process namespace it is process 1 there, and must not let
// orphans pile up.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGCHLD) // the kernel reaps then
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGINT, syscall.SIGTERM)
	<-ending
}
