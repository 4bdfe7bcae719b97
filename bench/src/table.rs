//! Markdown tables.

use std::fmt;

/// A table: columns, then rows of as many cells.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|column| (*column).to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

/// Prints a table.
#[expect(clippy::print_stdout, reason = "the tables are what the program is for")]
pub(crate) fn say(table: &Table) {
    println!("{table}");
}

/// A measured number beside its budget.
pub(crate) fn against(budget: Option<f64>, measured: f64) -> String {
    match budget {
        None => "-".to_owned(),
        Some(budget) if measured <= budget => format!("{budget:.0}, held"),
        Some(budget) => format!("{budget:.0}, **missed**"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, cells: &[String]| writeln!(f, "| {} |", cells.join(" | "));
        line(f, &self.columns)?;
        line(f, &vec!["---".to_owned(); self.columns.len()])?;
        self.rows.iter().try_for_each(|row| line(f, row))
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, against};

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(&["what", "ns"]);
        table.row(["split".to_owned(), "115".to_owned()]);
        assert_eq!(table.to_string(), "| what | ns |\n| --- | --- |\n| split | 115 |\n");
    }

    #[test]
    fn a_budget_is_held_or_missed() {
        assert_eq!(against(Some(200.0), 115.0), "200, held");
        assert_eq!(against(Some(200.0), 215.0), "200, **missed**");
        assert_eq!(against(None, 1.0), "-");
    }
}
