//! Functions: inlined where they are called.

use std::rc::Rc;

use naga::{Expression, Function, Handle, LocalVariable};

use super::memory::{Place, Root};
use super::shape::Shape;
use super::{Frame, Lowered, Lowerer, Result};
use crate::shader::builder::Nest;
use crate::shader::lane::{Space, Statement, Value};

impl Lowerer<'_> {
    /// Inlines a call.
    pub(super) fn call(
        &mut self,
        callee: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
    ) -> Result<()> {
        self.check_size()?;
        let module = self.module;
        let function = &module.functions[callee];
        let leave = self.builder.label();
        let info = &self.info[callee];
        let mut frame = Frame::new(Some(callee), function, info, leave);
        for &argument in arguments {
            frame.arguments.push(self.lowered(argument)?);
        }
        let allocated = self.allocated();
        if let Some(returned) = &function.result {
            let shape = self.shapes.get(returned.ty)?;
            frame.result = Some(self.allocate(&shape, false)?);
        }
        let caller = std::mem::replace(&mut self.frame, frame);
        self.function_body()?;
        let callee = std::mem::replace(&mut self.frame, caller);
        if let (Some(result), Some(place)) = (result, &callee.result) {
            let words = self.load(place)?;
            self.frame.values[result.index()] = Some(Lowered::Words(words));
        }
        self.release(allocated);
        Ok(())
    }

    /// The body of the function in the frame, in a block that `return` leaves.
    pub(super) fn function_body(&mut self) -> Result<()> {
        let function = self.frame.function;
        self.builder.open(Nest::Block);
        self.local_variables()?;
        self.block(&function.body)?;
        let body = self.builder.close();
        self.builder.push(Statement::Block { label: self.frame.leave, body });
        Ok(())
    }

    /// Places for the local variables. They start anew at every call.
    fn local_variables(&mut self) -> Result<()> {
        let function = self.frame.function;
        for (handle, variable) in function.local_variables.iter() {
            let shape = self.shapes.get(variable.ty)?;
            let dynamic = self.usage.local(self.frame.handle, handle);
            let init =
                variable.init.filter(|&init| !matches!(function.expressions[init], Expression::ZeroValue(_)));
            let words = init.map(|init| self.words(init)).transpose()?;
            let place = match self.constant_table(handle, &shape, dynamic, words.as_deref()) {
                Some(place) => place,
                None => self.local_variable(&shape, dynamic, words.as_deref())?,
            };
            self.frame.locals[handle.index()] = Some(place);
        }
        Ok(())
    }

    fn local_variable(&mut self, shape: &Rc<Shape>, dynamic: bool, init: Option<&[Value]>) -> Result<Place> {
        let fresh = self.is_fresh();
        let place = self.allocate(shape, dynamic)?;
        match init {
            Some(words) => self.store(&place, words),
            None if fresh => {}
            None => self.zero(&place)?,
        }
        Ok(place)
    }

    /// A table, for a variable that is only read, at dynamic indices, and starts with constants.
    fn constant_table(
        &mut self,
        handle: Handle<LocalVariable>,
        shape: &Rc<Shape>,
        dynamic: bool,
        init: Option<&[Value]>,
    ) -> Option<Place> {
        if !dynamic || !self.usage.is_constant(self.frame.handle, handle) {
            return None;
        }
        let words = init?.iter().map(|&word| self.builder.constant_of(word)).collect::<Option<Vec<u32>>>()?;
        let base = self.table(words);
        Some(Place::new(Root::Memory(Space::Constant), base, Rc::clone(shape)))
    }
}
