//! Variables and functions that an expression can name.

use super::Generator;
use super::expression::Value;
use super::types::{Scalar, Type, U32};

/// A variable, a `let`, a parameter or what a pointer points to.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) text: String,
    pub(super) of: Type,
    pub(super) mutable: bool,
    /// A `var` of the function: its address can be passed.
    pub(super) addressable: bool,
}

/// A function of the kernel.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// By value; the pointer comes after them.
    pub(super) parameters: Vec<Type>,
    pub(super) pointer: Option<Type>,
    pub(super) returns: Type,
    /// Loop iterations of one call, at most.
    pub(super) work: u32,
}

/// A place inside a variable; `index` elements where one must still be chosen.
struct Place {
    text: String,
    of: Type,
    index: Option<u32>,
}

impl Generator<'_> {
    pub(super) fn declare(&mut self, text: &str, of: Type, mutable: bool, addressable: bool) {
        self.scope.push(Variable { text: text.to_owned(), of, mutable, addressable });
    }

    /// A variable of this type, or a part of one.
    pub(super) fn place(&mut self, wanted: Type, mutable: bool) -> Option<String> {
        let mut places = Vec::new();
        for variable in self.scope.iter().filter(|variable| variable.mutable || !mutable) {
            self.parts(&variable.text, variable.of, &mut places);
        }
        places.retain(|place| place.of == wanted);
        let count = u32::try_from(places.len()).ok().filter(|count| *count > 0)?;
        let place = places.swap_remove(self.choices.below(count) as usize);
        Some(match place.index {
            None => place.text,
            Some(elements) => {
                let index = self.index(elements);
                format!("{}[{index}]", place.text)
            }
        })
    }

    /// An index below `elements` that is known only at run time.
    fn index(&mut self, elements: u32) -> String {
        match self.choices.below(3) {
            0 => format!("u.zero + {}u", self.choices.below(elements)),
            1 => format!("{} % {elements}u", self.expression(U32, 1).text_at_run_time()),
            _ => format!("i32({} % {elements}u)", self.expression(U32, 1).text_at_run_time()),
        }
    }

    fn parts(&self, text: &str, of: Type, places: &mut Vec<Place>) {
        places.push(Place { text: text.to_owned(), of, index: None });
        match of {
            Type::Scalar(_) => {}
            Type::Vector(scalar, n) => {
                places.push(Place { text: text.to_owned(), of: Type::Scalar(scalar), index: Some(n) });
                for letter in ["x", "y", "z", "w"].iter().take(n as usize) {
                    places.push(Place {
                        text: format!("{text}.{letter}"),
                        of: Type::Scalar(scalar),
                        index: None,
                    });
                }
            }
            Type::Array(scalar, n) => {
                places.push(Place { text: text.to_owned(), of: Type::Scalar(scalar), index: Some(n) });
            }
            Type::Struct(index) => {
                for (field, of) in self.structs[index].iter().enumerate() {
                    self.parts(&format!("{text}.f{field}"), *of, places);
                }
            }
        }
    }

    /// A call of a function that gives this type, or a literal where there is none (or no work is left for one).
    pub(super) fn call(&mut self, wanted: Type, depth: u32) -> Value {
        let fits: Vec<_> = self
            .functions
            .iter()
            .filter(|function| function.returns == wanted && function.pointer.is_none())
            .filter(|function| function.work.saturating_mul(self.repeats) <= super::WORK)
            .cloned()
            .collect();
        match u32::try_from(fits.len()) {
            Ok(count) if count > 0 => {
                let function = fits[self.choices.below(count) as usize].clone();
                let arguments = self.arguments(&function, depth);
                Value::stored(format!("{}({arguments})", function.name))
            }
            _ => self.expression(wanted, 0),
        }
    }

    /// Arguments of a call, without the pointer.
    pub(super) fn arguments(&mut self, function: &Function, depth: u32) -> String {
        let arguments: Vec<_> = function
            .parameters
            .iter()
            .map(|of| {
                let argument = self.expression(*of, depth);
                self.clamped(*of, argument)
            })
            .collect();
        arguments.join(", ")
    }

    /// A random type for a variable.
    pub(super) fn any_type(&mut self) -> Type {
        match self.choices.below(8) {
            0..=2 => self.scalar_type(),
            3..=5 => {
                let scalar = self.choices.pick(&[Scalar::U32, Scalar::I32, Scalar::F32, Scalar::Bool]);
                Type::Vector(scalar, 2 + self.choices.below(3))
            }
            6 => {
                let scalar = self.choices.pick(&[Scalar::U32, Scalar::I32]);
                Type::Array(scalar, 1 + self.choices.below(7))
            }
            _ => match u32::try_from(self.structs.len()) {
                Ok(count) if count > 0 => Type::Struct(self.choices.below(count) as usize),
                _ => U32,
            },
        }
    }

    pub(super) fn scalar_type(&mut self) -> Type {
        Type::Scalar(self.choices.pick(&[Scalar::U32, Scalar::I32, Scalar::F32, Scalar::Bool]))
    }
}
