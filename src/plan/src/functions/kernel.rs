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
        match self.forms.iter().find(|form| form.fits(arguments)) {
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

    fn fits(&self, arguments: &[DataType]) -> bool {
        let fits =
            |(place, argument)| self.parameter(place).is_some_and(|parameter| parameter.accepts(argument).is_some());
        self.takes(arguments.len()) && arguments.iter().enumerate().all(fits)
    }
}

impl Parameter {
    /// The type that the function gets for an argument of this type; none if it does not take it.
    pub fn accepts(self, argument: &DataType) -> Option<DataType> {
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
            (Self::Date, Date32) => same(),
            _ => None,
        }
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
