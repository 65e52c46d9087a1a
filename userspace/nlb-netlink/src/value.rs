// SPDX-License-Identifier: GPL-2.0-only

//! How the value of an attribute is written and read.

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, Emitable, parse_ip, parse_string, parse_u8, parse_u16, parse_u32, parse_u64,
};

use crate::{
    attribute::AttributeSet,
    code::{Code, Named},
};

/// Attributes that are the value of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nest<A>(pub Vec<A>);

/// The value of an attribute.
pub trait Value: Sized {
    /// Whether the value is attributes, which the kernel wants to be told.
    const NESTED: bool = false;

    /// Bytes of the value, without padding.
    fn size(&self) -> usize;

    /// Writes the value into a buffer of exactly [`Value::size`] bytes.
    fn emit(&self, buffer: &mut [u8]);

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// If the bytes are fewer or more than the type has.
    fn parse(bytes: &[u8]) -> Result<Self, DecodeError>;
}

macro_rules! integer {
    ($($type:ident $parse:ident,)*) => {$(
        impl Value for $type {
            fn size(&self) -> usize {
                size_of::<$type>()
            }

            fn emit(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.to_ne_bytes());
            }

            fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
                $parse(bytes)
            }
        }
    )*};
}

integer! {
    u8 parse_u8,
    u16 parse_u16,
    u32 parse_u32,
    u64 parse_u64,
}

/// A string, zero-terminated on the wire.
impl Value for String {
    fn size(&self) -> usize {
        str::len(self) + 1
    }

    fn emit(&self, buffer: &mut [u8]) {
        if let Some((zero, text)) = buffer.split_last_mut() {
            text.copy_from_slice(self.as_bytes());
            *zero = 0;
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        parse_string(bytes)
    }
}

/// A flag: it is there or not, and has no bytes.
impl Value for () {
    fn size(&self) -> usize {
        0
    }

    fn emit(&self, _buffer: &mut [u8]) {}

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            Ok(())
        } else {
            Err(format!("a flag has no value, received {} bytes", bytes.len()).into())
        }
    }
}

/// An address of either family: 4 or 16 bytes in network order.
impl Value for IpAddr {
    fn size(&self) -> usize {
        match self {
            IpAddr::V4(_) => 4,
            IpAddr::V6(_) => 16,
        }
    }

    fn emit(&self, buffer: &mut [u8]) {
        match self {
            IpAddr::V4(address) => buffer.copy_from_slice(&address.octets()),
            IpAddr::V6(address) => buffer.copy_from_slice(&address.octets()),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        parse_ip(bytes)
    }
}

/// Bytes of a fixed number: a MAC, a key, a seed.
impl<const N: usize> Value for [u8; N] {
    fn size(&self) -> usize {
        N
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(self);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        bytes
            .try_into()
            .map_err(|_| format!("expected {N} bytes, received {} bytes", bytes.len()).into())
    }
}

/// Bytes of any number.
impl Value for Vec<u8> {
    fn size(&self) -> usize {
        self.as_slice().len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(self);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(bytes.to_vec())
    }
}

/// Attributes within an attribute.
impl<A: AttributeSet> Value for Nest<A> {
    const NESTED: bool = true;

    fn size(&self) -> usize {
        self.0.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.0.as_slice().emit(buffer);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        A::parse_all(bytes).map(Nest)
    }
}

impl<T: Named> Value for Code<T> {
    fn size(&self) -> usize {
        1
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&[self.number()]);
    }

    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        parse_u8(bytes).map(Code::from_number)
    }
}
