//! Cuts a plan into stages. A stage is a chain of operators that run on one thread without anything in between; rows
//! change threads, or are handed to several consumers, only between stages. Pure.

use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Fields, NodeKind, PlanNode, StreamPlan, WindowAggregate};

use crate::operator::{Chain, StreamOperator};
use crate::operators::CalcOperator;
use crate::operators::window::{AggregateSpec, Intake, LocalWindowAggregate, WindowAggregateOperator};

/// A plan, cut into stages; every stage's input stands before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages {
    pub stages: Vec<Stage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub input: StageInput,
    pub links: Vec<Link>,
    /// The sink that the chain's output is written to; none if other stages take it.
    pub sink: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StageInput {
    /// The source at this place of the plan.
    Source(usize),
    /// Another stage's output, staying on its thread.
    Same(usize),
    /// Another stage's output, each row going to the thread that owns the key in these columns.
    Exchanged { stage: usize, keys: Vec<usize> },
}

/// One operator of a chain. Numbers are places in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Calc(usize),
    LocalWindowAggregate(usize),
    WindowAggregate(usize, Intake),
}

/// A plan that this engine cannot run.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the operator `{uid}` cannot be run: {reason}")]
    Operator { uid: String, reason: String },
    #[error("the plan is out of order at `{0}`")]
    Disordered(String),
}

/// Cuts `plan` for `parallelism` threads.
pub fn cut(plan: &StreamPlan, parallelism: usize) -> Result<Stages, BuildError> {
    let mut cutter = Cutter { plan, stages: Vec::new(), stage_of: vec![None; plan.nodes.len()] };
    for (place, node) in plan.nodes.iter().enumerate() {
        match &node.kind {
            NodeKind::Source(_) => {
                cutter.stages.push(Stage { input: StageInput::Source(place), links: Vec::new(), sink: None });
                cutter.stage_of[place] = Some(cutter.stages.len() - 1);
            }
            NodeKind::Calc(_) => cutter.append(place, node, Link::Calc(place))?,
            NodeKind::WindowAggregate(_) if parallelism == 1 => {
                cutter.append(place, node, Link::WindowAggregate(place, Intake::Rows))?;
            }
            NodeKind::WindowAggregate(aggregate) => {
                cutter.append(place, node, Link::LocalWindowAggregate(place))?;
                cutter.exchange(place, aggregate);
            }
            NodeKind::Sink(_) => {
                let stage = cutter.stage_for(place, node)?;
                cutter.stages[stage].sink = Some(place);
            }
        }
    }
    Ok(Stages { stages: cutter.stages })
}

struct Cutter<'a> {
    plan: &'a StreamPlan,
    stages: Vec<Stage>,
    /// The stage whose output is the node's output, by node.
    stage_of: Vec<Option<usize>>,
}

impl Cutter<'_> {
    fn append(&mut self, place: usize, node: &PlanNode, link: Link) -> Result<(), BuildError> {
        let stage = self.stage_for(place, node)?;
        self.stages[stage].links.push(link);
        self.stage_of[place] = Some(stage);
        Ok(())
    }

    fn exchange(&mut self, place: usize, aggregate: &WindowAggregate) {
        let Some(stage) = self.stage_of[place] else { unreachable!("the local half has been appended") };
        // The local half's first two columns are the pane and the rows it stands for.
        let keys = (2..2 + aggregate.keys.len()).collect();
        self.stages.push(Stage {
            input: StageInput::Exchanged { stage, keys },
            links: vec![Link::WindowAggregate(place, Intake::Partials)],
            sink: None,
        });
        self.stage_of[place] = Some(self.stages.len() - 1);
    }

    /// The stage to append a node to: its input's, unless others read that input too.
    fn stage_for(&mut self, place: usize, node: &PlanNode) -> Result<usize, BuildError> {
        let disordered = || BuildError::Disordered(node.uid.clone());
        let [input] = node.inputs[..] else { return Err(disordered()) };
        if input >= place {
            return Err(disordered());
        }
        let stage = self.stage_of[input].ok_or_else(disordered)?;
        let consumers = self.plan.nodes.iter().flat_map(|node| &node.inputs).filter(|place| **place == input).count();
        if consumers == 1 {
            return Ok(stage);
        }
        self.stages.push(Stage { input: StageInput::Same(stage), links: Vec::new(), sink: None });
        Ok(self.stages.len() - 1)
    }
}

impl Stage {
    /// The stage's operators, for the thread that owns the key groups `owned`.
    pub fn chain(&self, plan: &StreamPlan, owned: KeyGroupRange) -> Result<Chain, BuildError> {
        let mut operators: Vec<(String, Box<dyn StreamOperator>)> = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let (Link::Calc(place) | Link::LocalWindowAggregate(place) | Link::WindowAggregate(place, _)) = link;
            let node = &plan.nodes[*place];
            operators.push((node.uid.clone(), operator(link, node, input_schema(plan, node), owned)?));
        }
        Ok(Chain::new(operators))
    }

    /// How many of the stage's operators have state.
    pub fn stateful_links(&self) -> usize {
        self.links.iter().filter(|link| matches!(link, Link::WindowAggregate(..))).count()
    }
}

fn operator(
    link: &Link,
    node: &PlanNode,
    input: &Fields,
    owned: KeyGroupRange,
) -> Result<Box<dyn StreamOperator>, BuildError> {
    let refused = |error: &dyn std::error::Error| BuildError::Operator {
        uid: node.uid.clone(),
        reason: match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    };
    let spec = |aggregate| AggregateSpec::new(&node.uid, aggregate, input, node.schema.clone());
    match (link, &node.kind) {
        (Link::Calc(_), NodeKind::Calc(calc)) => {
            let operator =
                CalcOperator::new(&node.uid, calc, input, node.schema.clone()).map_err(|error| refused(&error))?;
            Ok(Box::new(operator))
        }
        (Link::LocalWindowAggregate(_), NodeKind::WindowAggregate(aggregate)) => {
            let operator = spec(aggregate).and_then(LocalWindowAggregate::new).map_err(|error| refused(&error))?;
            Ok(Box::new(operator))
        }
        (Link::WindowAggregate(_, intake), NodeKind::WindowAggregate(aggregate)) => {
            let operator = spec(aggregate)
                .and_then(|spec| WindowAggregateOperator::new(spec, *intake, owned))
                .map_err(|error| refused(&error))?;
            Ok(Box::new(operator))
        }
        (Link::Calc(_) | Link::LocalWindowAggregate(_) | Link::WindowAggregate(..), _) => {
            unreachable!("links are made from nodes of their kind")
        }
    }
}

fn input_schema<'a>(plan: &'a StreamPlan, node: &PlanNode) -> &'a Fields {
    &plan.nodes[node.inputs[0]].schema
}
