//! Blocks and exits: those that change nothing go.

use naga::FastHashSet;

use crate::shader::lane::{Label, Statement};

/// Drops exits to where control goes anyway, blocks that nothing leaves, branches without statements, and what stands behind an exit.
pub(super) fn tidy(body: &mut Vec<Statement>) {
    block(body, &[], 0);
}

/// Branches are put into each other as deep as this, to save an exit.
const NESTING_MAX: usize = 32;

/// `ends` are the labels of blocks that end where this list ends; `depth` counts what is around it.
fn block(statements: &mut Vec<Statement>, ends: &[Label], depth: usize) {
    if let Some(at) = statements.iter().position(|statement| matches!(statement, Statement::Exit { .. })) {
        statements.truncate(at + 1);
    }
    if depth < NESTING_MAX {
        enclose(statements, ends);
    }
    let mut tidied = Vec::with_capacity(statements.len());
    let last = statements.len().saturating_sub(1);
    for (index, statement) in statements.drain(..).enumerate() {
        one(statement, if index == last { ends } else { &[] }, depth + 1, &mut tidied);
    }
    *statements = tidied;
}

/// Turns `if c { …; exit } rest`, where the exit leads to the end of `rest`, into `if c { … } else { rest }`: what follows then knows
/// what both ways set.
fn enclose(statements: &mut Vec<Statement>, ends: &[Label]) {
    let ends_here =
        |arm: &[Statement]| matches!(arm.last(), Some(Statement::Exit { label }) if ends.contains(label));
    let leaves_early = |statement: &Statement| match statement {
        Statement::If { accept, reject, .. } => ends_here(accept) || ends_here(reject),
        _ => false,
    };
    let Some(at) = statements.iter().position(leaves_early) else { return };
    let rest = statements.split_off(at + 1);
    if let Some(Statement::If { accept, reject, .. }) = statements.last_mut() {
        // Where both arms leave, nobody reaches the rest.
        if !ends_here(accept) {
            accept.extend(rest);
        } else if !ends_here(reject) {
            reject.extend(rest);
        }
    }
}

fn one(statement: Statement, ends: &[Label], depth: usize, out: &mut Vec<Statement>) {
    match statement {
        Statement::Exit { label } if ends.contains(&label) => {}
        Statement::If { condition, mut accept, mut reject } => {
            block(&mut accept, ends, depth);
            block(&mut reject, ends, depth);
            if !accept.is_empty() || !reject.is_empty() {
                out.push(Statement::If { condition, accept, reject });
            }
        }
        Statement::Block { label, mut body } => {
            let mut inner = ends.to_vec();
            inner.push(label);
            block(&mut body, &inner, depth);
            if leaves(&body, label) {
                out.push(Statement::Block { label, body });
            } else {
                out.extend(body);
            }
        }
        Statement::Loop { mut body } => {
            block(&mut body, &[], depth);
            out.push(Statement::Loop { body });
        }
        other => out.push(other),
    }
}

/// Whether some statement exits to a label.
fn leaves(statements: &[Statement], label: Label) -> bool {
    let mut found = FastHashSet::default();
    super::walk(statements, &mut |statement| {
        if let Statement::Exit { label } = statement {
            found.insert(*label);
        }
    });
    found.contains(&label)
}
