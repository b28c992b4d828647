//! Matrices: their words column by column.
//!
//! Sums go from the first product to the last, each rounded: the same everywhere, and what a plain loop on the host gives.

use super::{Lowerer, Words};
use crate::shader::lane::{BinaryOperation as B, UnaryOperation as U, Value};

impl Lowerer<'_> {
    /// A matrix of `rows` rows by a vector or matrix.
    pub(super) fn matrix_product(&mut self, a: &[Value], b: &[Value], rows: usize) -> Words {
        let inner = a.len() / rows;
        let mut product = Words::new();
        for column in b.chunks(inner) {
            for row in 0..rows {
                let line: Words = a.iter().skip(row).step_by(rows).copied().collect();
                product.push(self.dot(&line, column, B::MultiplyF, B::AddF));
            }
        }
        product
    }

    /// A row vector by a matrix.
    pub(super) fn vector_matrix_product(&mut self, vector: &[Value], matrix: &[Value]) -> Words {
        matrix.chunks(vector.len()).map(|column| self.dot(vector, column, B::MultiplyF, B::AddF)).collect()
    }

    /// The sum of products.
    pub(super) fn dot(&mut self, a: &[Value], b: &[Value], multiply: B, add: B) -> Value {
        let mut sum = None;
        for (&a, &b) in a.iter().zip(b) {
            let product = self.binary(multiply, a, b);
            sum = Some(match sum {
                Some(sum) => self.binary(add, sum, product),
                None => product,
            });
        }
        sum.unwrap_or_else(|| self.builder.constant(0))
    }

    pub(super) fn transpose(&mut self, matrix: &[Value], rows: usize) -> Words {
        (0..rows).flat_map(|row| matrix.iter().skip(row).step_by(rows).copied()).collect()
    }

    /// Along the first column.
    pub(super) fn determinant(&mut self, matrix: &[Value], size: usize) -> Value {
        if size == 1 {
            return matrix[0];
        }
        let mut sum: Option<Value> = None;
        for row in 0..size {
            let minor = self.minor(matrix, size, 0, row);
            let term = self.binary(B::MultiplyF, matrix[row], minor);
            sum = Some(match sum {
                Some(sum) if row % 2 == 1 => self.binary(B::SubtractF, sum, term),
                Some(sum) => self.binary(B::AddF, sum, term),
                None => term,
            });
        }
        sum.unwrap_or(matrix[0])
    }

    /// The determinant without one column and one row.
    fn minor(&mut self, matrix: &[Value], size: usize, column: usize, row: usize) -> Value {
        let places = (0..size * size).filter(|at| at / size != column && at % size != row);
        let rest: Words = places.map(|at| matrix[at]).collect();
        self.determinant(&rest, size - 1)
    }

    /// The adjugate by the reciprocal of the determinant (SPIR-V's `MatrixInverse`; WGSL has none).
    pub(super) fn inverse(&mut self, matrix: &[Value], size: usize) -> Words {
        let one = self.float(1.0);
        let determinant = self.determinant(matrix, size);
        let reciprocal = self.binary(B::DivideF, one, determinant);
        let mut inverse = Words::new();
        for column in 0..size {
            for row in 0..size {
                let minor = self.minor(matrix, size, row, column);
                let cofactor = if (row + column) % 2 == 0 { minor } else { self.unary(U::NegateF, minor) };
                inverse.push(self.binary(B::MultiplyF, cofactor, reciprocal));
            }
        }
        inverse
    }
}
