//! Bit fields of a packed word: a width and a lower neighbour; shifts are computed, never typed.

/// A run of bits in a `u64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    /// The lowest field of a word.
    pub(crate) const fn lowest(width: u32) -> Self {
        assert!(width > 0 && width < u64::BITS);
        Self { shift: 0, width }
    }

    /// The field just above this one.
    pub(crate) const fn above(self, width: u32) -> Self {
        let shift = self.shift + self.width;
        assert!(width > 0 && shift + width <= u64::BITS);
        Self { shift, width }
    }

    /// The largest value that fits.
    pub(crate) const fn max(self) -> u64 {
        (1 << self.width) - 1
    }

    /// One past the highest bit: a layout asserts that it is at most 64.
    pub(crate) const fn end(self) -> u32 {
        self.shift + self.width
    }

    /// Reads the field.
    #[inline]
    pub(crate) const fn of(self, word: u64) -> u64 {
        (word >> self.shift) & self.max()
    }

    /// The word with this field set.
    ///
    /// A value that does not fit would spill into the neighbour, so it is cut; debug builds panic.
    #[inline]
    pub(crate) const fn put(self, word: u64, value: u64) -> u64 {
        debug_assert!(value <= self.max());
        (word & !(self.max() << self.shift)) | ((value & self.max()) << self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: Field = Field::lowest(30);
    const MID: Field = LOW.above(4);
    const TOP: Field = MID.above(30);

    #[test]
    fn fields_do_not_touch_each_other() {
        assert_eq!(TOP.end(), 64);
        let word = TOP.put(MID.put(LOW.put(0, LOW.max()), 5), TOP.max());
        assert_eq!((LOW.of(word), MID.of(word), TOP.of(word)), (LOW.max(), 5, TOP.max()));
        let word = MID.put(word, 0);
        assert_eq!((LOW.of(word), MID.of(word), TOP.of(word)), (LOW.max(), 0, TOP.max()));
    }
}
