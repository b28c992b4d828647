//! Names that a program's text can hold, made of labels, which are any text at all.
use std::collections::HashSet;

/// The names of one kind of thing, each given once.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Labels are names as they are, and may be given twice.
    plain: bool,
    taken: HashSet<String>,
    /// How many had no label.
    unlabelled: u32,
}

impl Names {
    /// For people alone: labels stay as they are.
    pub(super) fn plain() -> Self {
        Self { plain: true, ..Self::default() }
    }

    /// A name for something with this label: the label, where it is one; otherwise the noun with a number. Blanks and colons become
    /// dashes, for an access expression ends there; a name that is taken gets a number.
    pub(super) fn name(&mut self, label: &str, noun: &str) -> String {
        if self.plain {
            return self.label(label, noun);
        }
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
        if self.plain {
            return first;
        }
        let mut name = first.clone();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{first}-{number}");
        }
        name
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
    }

    #[test]
    fn for_people_labels_stay_as_they_are() {
        let mut names = Names::plain();
        assert_eq!(["a b", "a b", ""].map(|label| names.name(label, "buffer")), ["a b", "a b", "buffer1"]);
    }
}
