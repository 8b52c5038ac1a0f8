//! What is asked of a database and what it answers, as far as a conversation depends on it.

use std::sync::Arc;

use pgseal_server::fuzzing::Shape;
use wire::copy::Options;
use wire::description::{Column, Format, Formats};

use crate::input::Input;

/// A message to the database.
pub enum Asked {
    Query(Vec<Statement>),
    Parse(&'static str, Statement),
    /// Portal, statement.
    Bind(&'static str, &'static str, Option<Formats>),
    DescribeStatement(&'static str),
    DescribePortal(&'static str),
    Execute(&'static str),
    /// Of a statement, or of a portal.
    Close(&'static str, bool),
    Sync,
    /// A function, whose result is refused or not.
    Call(Option<Format>, bool),
    CopyData,
    /// Well, or because it failed.
    CopyEnd(bool),
}

/// What SQL does.
#[derive(Clone)]
pub enum Statement {
    /// Rows of columns of these types, of which one is refused.
    Select {
        types: Vec<u32>,
        rows: usize,
        refused: Option<usize>,
    },
    Insert,
    Begin,
    Commit,
    CopyOut {
        delimiter: u8,
        refused: bool,
    },
    CopyIn,
    /// Every prepared statement is gone.
    Deallocate,
    /// Fails when it runs.
    Fails,
    /// Is no SQL.
    Wrong,
}

/// A message of the database.
#[derive(Default)]
pub struct Reply {
    pub tag: u8,
    pub status: u8,
    pub body: Vec<u8>,
    /// A value in it is refused.
    pub is_refused: bool,
    /// What is known of a row.
    pub shape: Shape,
    /// The format of a function's result.
    pub format: Option<Format>,
    /// What is known of a COPY's data.
    pub options: Option<Arc<Options>>,
}

impl Statement {
    pub fn any(input: &mut Input<'_>) -> Self {
        match input.below(13) {
            12 => Self::Deallocate,
            0..=3 => Self::Select {
                types: (0..1 + input.below(2))
                    .map(|_| *input.one_of(&[17, 25, 23]))
                    .collect(),
                rows: input.below(3),
                refused: input.any::<bool>().then(|| input.below(3)),
            },
            4 => Self::Insert,
            5 | 6 => Self::Begin,
            7 => Self::Commit,
            8 => Self::CopyOut {
                delimiter: *input.one_of(b"|;"),
                refused: input.any(),
            },
            9 | 10 => Self::CopyIn,
            _ if input.any() => Self::Fails,
            _ => Self::Wrong,
        }
    }

    pub fn copies_in(&self) -> bool {
        matches!(self, Self::CopyIn)
    }

    pub fn columns(&self, formats: &Formats) -> Option<Vec<Column>> {
        let Self::Select { types, .. } = self else {
            return None;
        };
        let column = |(index, type_oid): (usize, &u32)| Column {
            type_oid: *type_oid,
            format: formats.of(index),
        };
        Some(types.iter().enumerate().map(column).collect())
    }
}
