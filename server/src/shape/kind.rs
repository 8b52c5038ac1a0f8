//! What a type means to the opener: by its object id, which is PostgreSQL's own or a user's.

use wire::description::Format;

use super::Markers;

/// Object ids of types, from PostgreSQL's pg_type.dat.
pub(super) mod oid {
    pub const BYTEA: u32 = 17;
    pub const NAME: u32 = 19;
    pub const TEXT: u32 = 25;
    pub const JSON: u32 = 114;
    pub const JSON_ARRAY: u32 = 199;
    pub const UNKNOWN: u32 = 705;
    pub const BYTEA_ARRAY: u32 = 1001;
    pub const TEXT_ARRAY: u32 = 1009;
    pub const BPCHAR_ARRAY: u32 = 1014;
    pub const VARCHAR_ARRAY: u32 = 1015;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const RECORD: u32 = 2249;
    pub const RECORD_ARRAY: u32 = 2287;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
    pub const JSONB_ARRAY: u32 = 3807;
    /// From here on types are a user's or an extension's (`FirstNormalObjectId`).
    pub const FIRST_NORMAL: u32 = 16_384;
}

/// What a value's type means to the opener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// May hold envelopes in their binary form, or be a tag.
    Bytea,
    /// May hold envelopes in text armor, or be a tag byte for byte.
    Text,
    /// The same, but that a tag may be padded.
    Bpchar,
    /// May be a tag, byte for byte.
    Name,
    /// May be a tag, by its canonical text.
    Uuid,
    /// Values without types stand in its strings.
    Json,
    /// The same; it is written otherwise in binary.
    Jsonb,
    /// Holds values of a type that PostgreSQL brings along.
    Array(Element),
    /// A composite of values.
    Record,
    /// A type of which the wire tells nothing: read as if the wire carried no types. No tag.
    UserDefined,
    /// Neither sealed nor a tag.
    Other,
    /// The wire carries no types: any of these.
    Untyped,
}

/// What an array of PostgreSQL's own holds, as far as its text form goes: the binary one says it
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// `bytea[]`.
    Bytea,
    /// `text[]`, `varchar[]`, `bpchar[]`.
    Text,
    /// `json[]`, `jsonb[]`.
    Json,
    /// `record[]`.
    Record,
}

impl Element {
    /// What a value of the array means.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Bytea => Kind::Bytea,
            Self::Text => Kind::Text,
            Self::Json => Kind::Json,
            Self::Record => Kind::Record,
        }
    }
}

impl Kind {
    /// By the object id of the type.
    #[must_use]
    pub fn of(type_oid: u32) -> Self {
        match type_oid {
            oid::BYTEA => Self::Bytea,
            oid::TEXT | oid::VARCHAR => Self::Text,
            oid::BPCHAR => Self::Bpchar,
            oid::NAME | oid::UNKNOWN => Self::Name,
            oid::UUID => Self::Uuid,
            oid::JSON => Self::Json,
            oid::JSONB => Self::Jsonb,
            oid::BYTEA_ARRAY => Self::Array(Element::Bytea),
            oid::TEXT_ARRAY | oid::VARCHAR_ARRAY | oid::BPCHAR_ARRAY => Self::Array(Element::Text),
            oid::JSON_ARRAY | oid::JSONB_ARRAY => Self::Array(Element::Json),
            oid::RECORD => Self::Record,
            oid::RECORD_ARRAY => Self::Array(Element::Record),
            oid::FIRST_NORMAL.. => Self::UserDefined,
            _ => Self::Other,
        }
    }

    /// What must stand in a value of this kind for an envelope to be in it.
    pub(super) fn markers(self, format: Format) -> Markers {
        match (self, format) {
            (Self::Name | Self::Uuid | Self::Other, _) => Markers::NONE,
            (Self::Text | Self::Bpchar | Self::Array(Element::Text), _)
            | (Self::Bytea | Self::Array(Element::Bytea), Format::Binary) => Markers {
                magic: true,
                hex: false,
            },
            _ => Markers::ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_means_what_postgresql_makes_it() {
        for (type_oids, kind) in [
            (&[17][..], Kind::Bytea),
            (&[25, 1043], Kind::Text),
            (&[1042], Kind::Bpchar),
            (&[19, 705], Kind::Name),
            (&[2950], Kind::Uuid),
            (&[114], Kind::Json),
            (&[3802], Kind::Jsonb),
            (&[1001], Kind::Array(Element::Bytea)),
            (&[1009, 1014, 1015], Kind::Array(Element::Text)),
            (&[199, 3807], Kind::Array(Element::Json)),
            (&[2249], Kind::Record),
            (&[2287], Kind::Array(Element::Record)),
            (&[16_384, u32::MAX], Kind::UserDefined),
            // None, "char", bigint, integer, xml, arrays of integers and of uuid, and the last
            // type of PostgreSQL's own.
            (&[0, 18, 20, 23, 142, 1007, 2951, 16_383], Kind::Other),
        ] {
            for type_oid in type_oids {
                assert_eq!(Kind::of(*type_oid), kind, "{type_oid}");
            }
        }
    }
}
