//! Names that a program's text can hold, made of labels, which are any text at all.
use std::collections::HashSet;

/// The names of one kind of thing, each given once.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// How many had no label.
    unlabelled: u32,
}

impl Names {
    /// A name for something with this label: the label, where it is one; otherwise the noun with a number. Blanks and colons become
    /// dashes, for an access expression ends there; a name that is taken gets a number.
    pub(super) fn name(&mut self, label: &str, noun: &str) -> String {
        let blank = |character: char| character == ':' || character.is_whitespace();
        self.label(&label.trim().replace(blank, "-"), noun)
    }

    /// The same for what is never part of an access expression: any text will do.
    pub(super) fn label(&mut self, label: &str, noun: &str) -> String {
        let first = if label.is_empty() {
            self.unlabelled += 1;
            format!("{noun}{}", self.unlabelled)
        } else {
            label.to_owned()
        };
        let mut name = first.clone();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{first}-{number}");
        }
        name
    }

    /// The name may be given again.
    pub(super) fn free(&mut self, name: &str) {
        self.taken.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn labels_become_names_that_are_one_word_each() {
        let mut names = Names::default();
        let name = |names: &mut Names, label| names.name(label, "buffer");
        assert_eq!(name(&mut names, ""), "buffer1");
        assert_eq!(name(&mut names, "vertices"), "vertices");
        assert_eq!(name(&mut names, "vertices"), "vertices-2");
        assert_eq!(name(&mut names, " frame 1:\tcolour "), "frame-1--colour");
        assert_eq!(name(&mut names, "buffer2"), "buffer2");
        assert_eq!(name(&mut names, ""), "buffer2-2", "a label may look like one of ours");
        assert_eq!(name(&mut names, " \n"), "buffer3");
        names.free("vertices");
        assert_eq!(name(&mut names, "vertices"), "vertices");
    }
}
