//! The values of a set's parameters, as the configuration and the database hold them: a scalar, or a list of scalars.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// The value of a parameter: bound, never pasted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Param {
    /// One value.
    One(Scalar),
    /// A list of values.
    Many(Vec<Scalar>),
}

/// A single value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Param::deserialize(from)? {
            Param::One(scalar) => Ok(scalar),
            Param::Many(_) => Err(Error::custom("a list within a list is not a parameter's value")),
        }
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ParamVisitor)
    }
}

struct ParamVisitor;

impl<'de> Visitor<'de> for ParamVisitor {
    type Value = Param;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Param, E> {
        Ok(Param::One(Scalar::Text(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Param, E> {
        Ok(Param::One(Scalar::Integer(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Param, E> {
        i64::try_from(number).map(|number| Param::One(Scalar::Integer(number))).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Param, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(values)).map(Param::Many)
    }
}
