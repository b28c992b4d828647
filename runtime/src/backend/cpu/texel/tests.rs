//! Texels against plain arithmetic.
