//! Choices drawn from the bytes of an input, so that a mutation of it is another choice.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'b>(&'b [u8]);

impl<'b> Draw<'b> {
    /// All of an input.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left. What is drawn then is zeros.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below this.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// Whether something happens that does one time in so many.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Up to so many bytes.
    pub fn bytes(&mut self, at_most: usize) -> &'b [u8] {
        let count = self.below(at_most + 1).min(self.0.len());
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(self) -> &'b [u8] {
        self.0
    }
}
