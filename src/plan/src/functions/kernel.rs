//! How a function written here becomes a DataFusion function. Types have been settled by the planner, so the kernel
//! checks none.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::Result;
use datafusion_common::arrow::array::ArrayRef;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::{Form, Function, Nulls, Parameter, anything};
use crate::nested;

pub(super) type Body = fn(&ScalarFunctionArgs) -> Result<ArrayRef>;

/// A function with a body of our own. It depends on its arguments alone.
pub(super) fn own(
    name: &'static str,
    forms: &'static [Form],
    usage: &'static str,
    nulls: Nulls,
    body: Body,
) -> Function {
    with_volatility(name, forms, usage, nulls, body, Volatility::Immutable)
}

/// A function that tells something new at every call, such as the time.
pub(super) fn volatile(name: &'static str, forms: &'static [Form], usage: &'static str, body: Body) -> Function {
    with_volatility(name, forms, usage, Nulls::Strict, body, Volatility::Volatile)
}

/// A function of DataFusion's whose meaning is Flink's.
pub(super) fn borrowed(
    name: &'static str,
    forms: &'static [Form],
    usage: &'static str,
    udf: Arc<ScalarUDF>,
) -> Function {
    Function { name, aliases: &[], forms, usage, nulls: Nulls::Strict, check: anything, udf }
}

impl Function {
    pub(super) fn aliased(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) fn sometimes_null(self) -> Self {
        Self { nulls: Nulls::Sometimes, ..self }
    }

    pub(super) fn checked(self, check: fn(&[Option<String>]) -> std::result::Result<(), String>) -> Self {
        Self { check, ..self }
    }
}

fn with_volatility(
    name: &'static str,
    forms: &'static [Form],
    usage: &'static str,
    nulls: Nulls,
    body: Body,
    volatility: Volatility,
) -> Function {
    let udf = Arc::new(ScalarUDF::from(Kernel { name, forms, body, signature: Signature::user_defined(volatility) }));
    Function { name, aliases: &[], forms, usage, nulls, check: anything, udf }
}

struct Kernel {
    name: &'static str,
    forms: &'static [Form],
    body: Body,
    signature: Signature,
}

impl ScalarUDFImpl for Kernel {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match self.forms.iter().find(|form| form.accepts(arguments).is_some()) {
            Some(form) => Ok(form.returns.data_type(arguments)),
            None => datafusion_common::plan_err!("{} has no form for {arguments:?}", self.name),
        }
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        (self.body)(&arguments).map(ColumnarValue::Array)
    }
}

impl Form {
    /// The parameter that an argument meets.
    pub fn parameter(&self, place: usize) -> Option<Parameter> {
        let last = self.parameters.len().checked_sub(1)?;
        let place = if self.repeats { place.min(last) } else { place };
        self.parameters.get(place).copied()
    }

    /// Whether it takes so many arguments.
    pub fn takes(&self, count: usize) -> bool {
        count == self.parameters.len() || self.repeats && count > self.parameters.len()
    }

    /// The types that the function gets for arguments of these types; none if it does not take them.
    pub fn accepts(&self, arguments: &[DataType]) -> Option<Vec<DataType>> {
        if !self.takes(arguments.len()) {
            return None;
        }
        let places = 0..arguments.len();
        places.map(|place| self.parameter(place)?.accepts(&arguments[place], arguments)).collect()
    }
}

impl Parameter {
    /// The type that the function gets for an argument of this type among `all`; none if it does not take it.
    fn accepts(self, argument: &DataType, all: &[DataType]) -> Option<DataType> {
        use DataType::*;
        let same = || Some(argument.clone());
        match (self, argument) {
            (Self::Text, Utf8 | Null) => Some(Utf8),
            (Self::Whole, Int8 | Int16 | Int32 | Int64 | Null) => Some(Int64),
            (Self::AnyWhole, Int8 | Int16 | Int32 | Int64) => same(),
            (Self::Approximate, Float32 | Float64) => same(),
            (Self::Decimal, Decimal128(_, _)) => same(),
            (Self::Double, Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Decimal128(_, _) | Null) => Some(Float64),
            (Self::Timestamp, Date32) => Some(super::Simple::Timestamp.data_type()),
            (Self::Timestamp, Timestamp(_, _)) => same(),
            (Self::Instant, Timestamp(_, Some(_))) => same(),
            (Self::Date, Date32) | (Self::Time, Time32(_)) | (Self::Bytes, Binary) => same(),
            (Self::Boolean, Boolean | Null) => Some(Boolean),
            (Self::Anything, Null) => None,
            (Self::Single, Null | List(_) | Map(_, _) | Struct(_) | Binary | Interval(_)) => None,
            (Self::Single, _) => same(),
            (Self::Anything, _) => same(),
            (Self::SameAs(other), _) => goes_into(argument, all.get(other)?),
            (Self::Array, List(element)) if is_comparable(element.data_type()) => same(),
            (Self::Texts, List(element)) if *element.data_type() == Utf8 => same(),
            (Self::ElementOf(array), _) => {
                let (_, element) = nested::element_of(all.get(array)?).filter(|_| matches!(all[array], List(_)))?;
                goes_into(argument, &element)
            }
            (Self::Map, Map(_, _)) => same(),
            _ => None,
        }
    }
}

/// The wanted type, if it holds every value of the type that is there.
fn goes_into(found: &DataType, wanted: &DataType) -> Option<DataType> {
    use DataType::*;
    let order = |data_type: &DataType| [Int8, Int16, Int32, Int64].iter().position(|known| known == data_type);
    let holds = match (order(found), order(wanted)) {
        (Some(found), Some(wanted)) => found <= wanted,
        _ => found == wanted || *found == Null,
    };
    holds.then(|| wanted.clone())
}

/// Whether values of the type can be told apart and put into an order.
fn is_comparable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Map(_, _) | DataType::Null => false,
        DataType::List(element) => is_comparable(element.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_comparable(field.data_type())),
        _ => true,
    }
}

// A kernel is its name: there is one of each.
impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
