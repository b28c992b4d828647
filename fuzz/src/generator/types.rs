//! The types that random kernels use, how they are written, and the simplest value of each.

/// A scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    U32,
    I32,
    F32,
    Bool,
}

/// Any type of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Scalar(Scalar),
    /// Components: 2 to 4.
    Vector(Scalar, u32),
    /// Of integers; elements.
    Array(Scalar, u32),
    /// By index into the kernel's structs.
    Struct(usize),
}

pub(super) const U32: Type = Type::Scalar(Scalar::U32);
pub(super) const I32: Type = Type::Scalar(Scalar::I32);
pub(super) const F32: Type = Type::Scalar(Scalar::F32);
pub(super) const BOOL: Type = Type::Scalar(Scalar::Bool);

impl Scalar {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
        }
    }
}

impl Type {
    pub(super) fn name(self) -> String {
        match self {
            Self::Scalar(scalar) => scalar.name().to_owned(),
            Self::Vector(scalar, n) => format!("vec{n}<{}>", scalar.name()),
            Self::Array(scalar, n) => format!("array<{}, {n}>", scalar.name()),
            Self::Struct(index) => format!("S{index}"),
        }
    }

    /// The scalar of a scalar or a vector.
    pub(super) fn scalar(self) -> Option<Scalar> {
        match self {
            Self::Scalar(scalar) | Self::Vector(scalar, _) => Some(scalar),
            Self::Array(..) | Self::Struct(_) => None,
        }
    }

    /// Components of a vector, 1 for anything else.
    pub(super) fn width(self) -> u32 {
        match self {
            Self::Vector(_, n) => n,
            _ => 1,
        }
    }

    /// A scalar or a vector of another scalar, equally wide.
    pub(super) fn of(self, scalar: Scalar) -> Self {
        match self {
            Self::Vector(_, n) => Self::Vector(scalar, n),
            _ => Self::Scalar(scalar),
        }
    }
}
