//! A call as JSON: the eight fields, and the readings of `items` that a file may use.

use serde::de::Error as _;
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Call, Ended, Item, Items, Names, Op, Outcome, Short, Shorts};

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Call", 8)?;
        fields.serialize_field("call_ns", &self.call_ns)?;
        // The largest u64 is not a number that every reader of JSON can hold.
        let returned = (self.return_ns != u64::MAX).then_some(self.return_ns);
        fields.serialize_field("return_ns", &returned)?;
        fields.serialize_field("thread", &self.thread)?;
        fields.serialize_field("op", self.op.as_str())?;
        fields.serialize_field("items", &ItemsOf(self))?;
        fields.serialize_field("id", &self.id.map(|id| id.to_string()))?;
        fields.serialize_field("result", self.result.as_str())?;
        fields.serialize_field("deadline_ns", &self.deadline_ns)?;
        fields.end()
    }
}

/// Reads what [`Serialize`] writes; lines must be numbers and ids 128-bit. [`jsonl`](super::jsonl) takes names too.
impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Call, D::Error> {
        let wire = WireCall::deserialize(deserializer)?;
        if wire.items.iter().any(|item| item.names_a_line()) {
            return Err(D::Error::custom("a line's name needs the jsonl reader"));
        }
        if wire.id.as_ref().is_some_and(|id| id.parse::<super::Id>().is_err()) {
            return Err(D::Error::custom("an id's name needs the jsonl reader"));
        }
        wire.into_call(&mut Names::default()).map_err(D::Error::custom)
    }
}

/// `[line, qty]`, and `[line, qty, available]` for an item that the refusal named as short.
struct ItemsOf<'a>(&'a Call);

impl Serialize for ItemsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shorts: &[Short] = match &self.0.result {
            Outcome::Insufficient(shorts) => shorts.as_slice(),
            _ => &[],
        };
        let items = &self.0.items;
        let mut list = serializer.serialize_seq(None)?;
        for (at, item) in items.iter().enumerate() {
            let first = !items.iter().take(at).any(|other| other.line == item.line);
            match shorts.iter().find(|short| short.line == item.line) {
                Some(short) if first => {
                    list.serialize_element(&(item.line, item.qty, short.available))?;
                }
                _ => list.serialize_element(&(item.line, item.qty))?,
            }
        }
        for short in shorts {
            // Named, but not asked for: kept, because the judge wants to see it.
            if !items.iter().any(|item| item.line == short.line) {
                list.serialize_element(&(short.line, 0, short.available))?;
            }
        }
        list.end()
    }
}

/// A line of a file before its names are numbered.
#[derive(Deserialize)]
pub(super) struct WireCall {
    call_ns: u64,
    return_ns: Option<u64>,
    #[serde(default)]
    thread: u32,
    op: String,
    #[serde(default)]
    pub(super) items: Vec<WireItem>,
    #[serde(default)]
    id: Option<String>,
    result: String,
    #[serde(default)]
    deadline_ns: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WireItem {
    Pair(WireLine, u64),
    Short(WireLine, u64, Option<u64>),
    Fields {
        #[serde(alias = "sku")]
        line: WireLine,
        #[serde(alias = "quantity")]
        qty: u64,
        /// Absent: not named as short. `null`: named, without a figure.
        #[serde(default, deserialize_with = "present")]
        available: Option<Option<u64>>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WireLine {
    Number(u32),
    Name(String),
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl WireItem {
    fn line(&self) -> &WireLine {
        match self {
            WireItem::Pair(line, _) | WireItem::Short(line, ..) | WireItem::Fields { line, .. } => line,
        }
    }

    pub(super) fn names_a_line(&self) -> bool {
        matches!(self.line(), WireLine::Name(_))
    }
}

impl WireCall {
    pub(super) fn into_call(self, names: &mut Names) -> Result<Call, String> {
        let op =
            Op::ALL.into_iter().find(|op| op.as_str() == self.op).ok_or_else(|| format!("unknown op {:?}", self.op))?;
        let mut shorts = Vec::new();
        let mut items = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let line = match item.line() {
                WireLine::Number(line) => *line,
                WireLine::Name(name) => names.line(name),
            };
            let (qty, short) = match item {
                WireItem::Pair(_, qty) => (*qty, None),
                WireItem::Short(_, qty, available) => (*qty, Some(*available)),
                WireItem::Fields { qty, available, .. } => (*qty, *available),
            };
            if let Some(available) = short {
                shorts.push(Short { line, available });
            }
            if qty > 0 || short.is_none() {
                items.push(Item { line, qty });
            }
        }
        Ok(Call {
            thread: self.thread,
            call_ns: self.call_ns,
            return_ns: self.return_ns.unwrap_or(u64::MAX),
            op,
            items: items.into_iter().collect::<Items>(),
            id: self.id.map(|id| names.id(&id)),
            result: outcome(&self.result, shorts)?,
            deadline_ns: self.deadline_ns,
        })
    }
}

fn outcome(name: &str, shorts: Vec<Short>) -> Result<Outcome, String> {
    Ok(match name {
        "ok" => Outcome::Ok,
        "insufficient" | "out_of_stock" => Outcome::Insufficient(shorts.into_iter().collect::<Shorts>()),
        "contended" => Outcome::Contended,
        "expired" => Outcome::Expired,
        "already_confirmed" => Outcome::AlreadyEnded(Ended::Confirmed),
        "already_released" => Outcome::AlreadyEnded(Ended::Released),
        "already_expired" => Outcome::AlreadyEnded(Ended::Expired),
        "already_replaced" => Outcome::AlreadyEnded(Ended::Replaced),
        "already_lost" => Outcome::AlreadyEnded(Ended::Lost),
        "not_found" => Outcome::NotFound,
        "refused" => Outcome::Refused,
        "unknown" => Outcome::Unknown,
        other => return Err(format!("unknown result {other:?}")),
    })
}
