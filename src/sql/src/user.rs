//! Functions of the user's: what CREATE FUNCTION makes of the modules that there are, and which form of a function a call
//! means. A name that is taken by a function of our own cannot be created: which of the two a call means would not show.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use arrow_schema::DataType;
use sqlparser::tokenizer::Span;
use tidemill_functions::{Returns, Signature, Type};
use tidemill_plan::UserFunction;

use crate::bind::{Typed, is_function};
use crate::catalog::FunctionModule;
use crate::error::{Result, SqlError};
use crate::statement::{CreateFunction, DropFunction};
use crate::types;

/// The functions that a text has created so far, by their names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserFunctions(Rc<BTreeMap<String, Vec<Form>>>);

/// A function of one name with one list of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub function: UserFunction,
    pub signature: Signature,
}

impl UserFunctions {
    pub(crate) fn create(&mut self, create: &CreateFunction, modules: &[FunctionModule]) -> Result<()> {
        let (key, name) = (create.name.name.to_lowercase(), &create.name.name);
        if is_function(&key) {
            let message = format!("there is a function {} already", name.to_uppercase());
            return Err(SqlError::new(create.name.span, message, "use another name"));
        }
        match (self.0.contains_key(&key), create.if_not_exists) {
            (true, true) => return Ok(()),
            (true, false) => {
                let message = format!("the function `{name}` has been created already");
                return Err(SqlError::new(create.name.span, message, "use another name, or drop it first"));
            }
            (false, _) => {}
        }
        let (module, wanted) = module_of(create, modules)?;
        let of_name = module.module.functions.iter().filter(|(_, signature)| signature.name == wanted);
        let forms: Vec<Form> = of_name
            .map(|(export, signature)| Form {
                function: UserFunction {
                    name: name.clone(),
                    module: module.module.digest.clone(),
                    export: export.clone(),
                },
                signature: signature.clone(),
            })
            .collect();
        if forms.is_empty() {
            let message = format!("the module `{}` has no function `{wanted}`", module.name);
            return Err(SqlError::new(create.class_span, message, format!("it has {}", exported(module))));
        }
        Rc::make_mut(&mut self.0).insert(key, forms);
        Ok(())
    }

    /// Forgets a function. What has been planned with it stays.
    pub(crate) fn drop(&mut self, drop: &DropFunction) -> Result<()> {
        let was_there = Rc::make_mut(&mut self.0).remove(&drop.name.name.to_lowercase()).is_some();
        if was_there || drop.if_exists {
            return Ok(());
        }
        let message = format!("the text has created no function `{}`", drop.name.name);
        Err(SqlError::new(drop.name.span, message, "leave DROP out, or write IF EXISTS"))
    }

    /// The forms of a function; none if it was not created. There is at least one.
    pub(crate) fn forms(&self, name: &str) -> Option<&[Form]> {
        self.0.get(&name.to_lowercase()).map(Vec::as_slice)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The digests of the modules that functions are in.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|form| form.function.module.as_str())
    }
}

/// The module that a statement means, and the function in it.
fn module_of<'m>(create: &CreateFunction, modules: &'m [FunctionModule]) -> Result<(&'m FunctionModule, String)> {
    let named = |name: &str| modules.iter().find(|module| module.name == name);
    if let Some(module) = named(&create.class) {
        let names: BTreeSet<&str> = module.module.functions.iter().map(|(_, of)| of.name.as_str()).collect();
        let only = || if names.len() == 1 { names.first().map(ToString::to_string) } else { None };
        return match module.function.clone().or_else(only) {
            Some(function) => Ok((module, function)),
            None => {
                let message = format!("the module of `{}` has more than one function", create.class);
                let remedy = format!("say which is meant where the module is given: it has {}", exported(module));
                Err(SqlError::new(create.class_span, message, remedy))
            }
        };
    }
    if let Some(module) = create.files.iter().find_map(|file| named(file)) {
        return Ok((module, create.class.clone()));
    }
    let wanted = create.files.first().unwrap_or(&create.class);
    let message = format!("no WebAssembly module is given for `{wanted}`");
    let remedy = format!(
        "give one of that name in the Application's `functions`, or to the command by --function '{wanted}=FILE.wasm'"
    );
    Err(SqlError::new(create.class_span, message, remedy))
}

fn exported(module: &FunctionModule) -> String {
    let names: BTreeSet<String> = module.module.functions.iter().map(|(_, of)| format!("`{}`", of.name)).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// The form that takes these values, and the values as it takes them.
pub(crate) fn chosen(forms: &[Form], values: Vec<Typed>, span: Span) -> Result<(&Form, Vec<Typed>)> {
    let found: Vec<&DataType> = values.iter().map(|value| &value.data_type).collect();
    let takes = |form: &&Form, each: &dyn Fn(Type, &DataType) -> bool| {
        let parameters = &form.signature.parameters;
        parameters.len() == found.len() && parameters.iter().zip(&found).all(|(of, found)| each(*of, found))
    };
    let exactly = forms.iter().find(|form| takes(form, &|of, found| of.data_type() == *found));
    let Some(form) = exactly.or_else(|| forms.iter().find(|form| takes(form, &widens))) else {
        let found: Vec<String> = found.into_iter().map(types::name).collect();
        let message = format!("{} does not take ({})", forms[0].function.name, found.join(", "));
        let signatures: Vec<String> = forms.iter().map(|form| format!("`{}`", form.signature)).collect();
        return Err(SqlError::new(span, message, format!("CAST the arguments for {}", signatures.join(" or "))));
    };
    let types = form.signature.parameters.iter().map(|of| of.data_type());
    Ok((form, values.into_iter().zip(types).map(|(value, of)| value.widened(&of)).collect()))
}

/// Whether values of a type can be handed over without being asked to by CAST.
fn widens(parameter: Type, found: &DataType) -> bool {
    use DataType::{Date32, Decimal128, Float32, Int8, Int16, Int32, Int64, Null};
    parameter.data_type() == *found
        || match parameter {
            Type::Int => matches!(found, Null | Int8 | Int16),
            Type::BigInt => matches!(found, Null | Int8 | Int16 | Int32),
            Type::Double => matches!(found, Null | Int8 | Int16 | Int32 | Int64 | Float32 | Decimal128(..)),
            Type::Timestamp => matches!(found, Null | Date32),
            Type::Boolean | Type::String | Type::Bytes => *found == Null,
        }
}

/// The types of a function's parameters, and of the columns that it gives.
pub(crate) fn types_of(function: &UserFunction) -> std::result::Result<(Vec<DataType>, Vec<DataType>), String> {
    let signature = Signature::parse(&function.export).map_err(|error| format!("{}: {error}", function.export))?;
    let results = match &signature.returns {
        Returns::Value(of) => vec![of.data_type()],
        Returns::Table(columns) => columns.iter().map(|column| column.of.data_type()).collect(),
    };
    Ok((signature.parameters.iter().map(|of| of.data_type()).collect(), results))
}
