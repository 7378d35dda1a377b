// SPDX-License-Identifier: GPL-2.0

//! Tables: a bold head, columns two spaces apart, no lines.

use comfy_table::{
    presets, Attribute, Cell, CellAlignment, Color, ContentArrangement, Table as Grid,
};

/// Where the text of a column begins.
#[derive(Clone, Copy)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

pub struct Table {
    grid: Grid,
    columns: usize,
    colours: bool,
}

impl Table {
    pub fn new(columns: &[(&str, Align)], colours: bool) -> Self {
        let mut grid = Grid::new();
        grid.load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .force_no_tty();
        if colours {
            grid.enforce_styling();
        }
        grid.set_header(
            columns
                .iter()
                .map(|(name, _)| Cell::new(name).add_attribute(Attribute::Bold)),
        );
        for (column, (_, align)) in grid.column_iter_mut().zip(columns) {
            column.set_padding((0, 2));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        Self {
            grid,
            columns: columns.len(),
            colours,
        }
    }

    /// Adds a row; one that is `marked` stands out where there are colours.
    pub fn row<const N: usize>(&mut self, cells: [String; N], marked: bool) {
        assert_eq!(N, self.columns);
        let marked = marked && self.colours;
        self.grid.add_row(cells.map(|text| {
            let cell = Cell::new(super::clean(&text));
            if marked {
                cell.fg(Color::Red)
            } else {
                cell
            }
        }));
    }

    /// The table, or nothing but its head if it has no rows.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in self.grid.lines() {
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[(&str, Align)] = &[("NAME", Align::Left), ("CALLS", Align::Right)];

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(COLUMNS, false);
        table.row(["a".into(), "1".into()], true);
        table.row(["file_open".into(), "123456".into()], false);
        assert_eq!(
            table.render(),
            "NAME        CALLS\na               1\nfile_open  123456\n"
        );
    }

    #[test]
    fn only_colours_escape() {
        let mut plain = Table::new(COLUMNS, false);
        plain.row(["\x1b[2J".into(), "1".into()], true);
        assert!(!plain.render().contains('\x1b'));

        let mut coloured = Table::new(COLUMNS, true);
        coloured.row(["a".into(), "1".into()], true);
        assert!(coloured.render().contains("\x1b["));
    }
}
