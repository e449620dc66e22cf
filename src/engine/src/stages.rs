//! Cuts a plan into stages. A stage is a chain of operators that run on one thread without anything in between; rows
//! change threads, come together, or are handed to several consumers, only between stages. Pure.

use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Changelog, JoinOn, NodeKind, PlanNode, StreamPlan};

use crate::operator::Chain;
use crate::operators::{self, Spec};
use crate::outside::Outside;

/// A plan, cut into stages; every stage's inputs stand before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages {
    pub stages: Vec<Stage>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// One source alone, or other stages in the order of the first operator's inputs.
    pub inputs: Vec<StageInput>,
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
    /// Another stage's output, each row going to the thread that owns the key in these columns. Without columns all
    /// rows go to one thread.
    Exchanged { stage: usize, keys: Vec<usize> },
}

impl StageInput {
    /// The stage that is read.
    pub fn stage(&self) -> Option<usize> {
        match self {
            Self::Source(_) => None,
            Self::Same(stage) | Self::Exchanged { stage, .. } => Some(*stage),
        }
    }

    /// The columns by which rows change threads.
    pub fn keys(&self) -> Option<&[usize]> {
        match self {
            Self::Source(_) | Self::Same(_) => None,
            Self::Exchanged { keys, .. } => Some(keys),
        }
    }
}

/// One operator of a chain: the node at this place of the plan, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub node: usize,
    pub part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// What can be done before rows change threads, so that fewer of them do.
    Local,
    /// What is left to do after it.
    Global,
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
        let whole = Link { node: place, part: Part::Whole };
        match (&node.kind, partitioning(&node.kind)) {
            (NodeKind::Source(_), _) => {
                cutter.stages.push(Stage { inputs: vec![StageInput::Source(place)], links: Vec::new(), sink: None });
                cutter.stage_of[place] = Some(cutter.stages.len() - 1);
            }
            (NodeKind::Sink(_), _) => {
                let stage = cutter.stage_for(place, node)?;
                cutter.stages[stage].sink = Some(place);
            }
            (NodeKind::Union, _) => cutter.gather(place, node, None, Vec::new())?,
            (_, None) => cutter.append(place, node, whole)?,
            (_, Some(Keys::One(_))) if parallelism == 1 => cutter.append(place, node, whole)?,
            (_, Some(Keys::Two(_))) if parallelism == 1 => cutter.gather(place, node, None, vec![whole])?,
            (NodeKind::WindowAggregate(aggregate), Some(_)) if operators::window::has_local_part(aggregate) => {
                cutter.append(place, node, Link { node: place, part: Part::Local })?;
                // The local half's first columns are the pane's ends and the rows it stands for.
                let keys = (3..3 + aggregate.keys.len()).collect();
                cutter.exchange(place, keys, Link { node: place, part: Part::Global });
            }
            (NodeKind::GroupAggregate(aggregate), Some(_))
                if operators::group::has_local_part(aggregate, input_changelog(plan, node)) =>
            {
                cutter.append(place, node, Link { node: place, part: Part::Local })?;
                // The local half's first columns are the keys.
                let keys = (0..aggregate.keys.len()).collect();
                cutter.exchange(place, keys, Link { node: place, part: Part::Global });
            }
            (_, Some(Keys::One(keys))) => cutter.gather(place, node, Some(vec![keys]), vec![whole])?,
            (_, Some(Keys::Two(keys))) => cutter.gather(place, node, Some(keys.into()), vec![whole])?,
        }
    }
    Ok(Stages { stages: cutter.stages })
}

/// What the rows of a node's first input say. A node without one is refused when its inputs are gathered.
fn input_changelog<'a>(plan: &'a StreamPlan, node: &PlanNode) -> &'a Changelog {
    let input = node.inputs.first().and_then(|input| plan.nodes.get(*input));
    input.map_or(&Changelog::Append, |input| &input.changelog)
}

enum Keys {
    One(Vec<usize>),
    Two([Vec<usize>; 2]),
}

/// The columns that rows must be brought together by before a node can take them, for each of its inputs; none if it
/// takes any row anywhere.
fn partitioning(kind: &NodeKind) -> Option<Keys> {
    let both = |on: &JoinOn| {
        let (left, right) = on.keys.iter().map(|key| (key.left, key.right)).unzip();
        Some(Keys::Two([left, right]))
    };
    match kind {
        NodeKind::Source(_)
        | NodeKind::Sink(_)
        | NodeKind::Calc(_)
        | NodeKind::Expand(_)
        | NodeKind::Unnest(_)
        | NodeKind::Correlate(_)
        | NodeKind::AssignWindows(_)
        | NodeKind::LookupJoin(_)
        | NodeKind::Union => None,
        NodeKind::WindowAggregate(aggregate) => Some(Keys::One(aggregate.keys.clone())),
        NodeKind::GroupAggregate(aggregate) => Some(Keys::One(aggregate.keys.clone())),
        NodeKind::Over(over) => Some(Keys::One(over.partition.clone())),
        NodeKind::Rank(rank) => Some(Keys::One(rank.partition.clone())),
        NodeKind::Deduplicate(deduplicate) => Some(Keys::One(deduplicate.keys.clone())),
        NodeKind::Normalize(normalize) => Some(Keys::One(normalize.keys.clone())),
        NodeKind::MatchRecognize(pattern) => Some(Keys::One(pattern.partition.clone())),
        NodeKind::Sort(_) | NodeKind::Limit(_) => Some(Keys::One(Vec::new())),
        NodeKind::Join(join) => both(&join.on),
        NodeKind::IntervalJoin(join) => both(&join.on),
        NodeKind::TemporalJoin(join) => both(&join.on),
    }
}

struct Cutter<'a> {
    plan: &'a StreamPlan,
    stages: Vec<Stage>,
    /// The stage whose output is the node's output, by node.
    stage_of: Vec<Option<usize>>,
}

impl Cutter<'_> {
    /// Puts the node's operator behind its input's.
    fn append(&mut self, place: usize, node: &PlanNode, link: Link) -> Result<(), BuildError> {
        let stage = self.stage_for(place, node)?;
        self.stages[stage].links.push(link);
        self.stage_of[place] = Some(stage);
        Ok(())
    }

    /// Begins a stage that takes what the node's stage has made so far, rows changing threads by `keys`.
    fn exchange(&mut self, place: usize, keys: Vec<usize>, link: Link) {
        let Some(stage) = self.stage_of[place] else { unreachable!("the local half has been appended") };
        self.push(place, vec![StageInput::Exchanged { stage, keys }], vec![link]);
    }

    /// Begins a stage that takes all inputs of the node, rows changing threads by `keys` if there are any.
    fn gather(
        &mut self,
        place: usize,
        node: &PlanNode,
        keys: Option<Vec<Vec<usize>>>,
        links: Vec<Link>,
    ) -> Result<(), BuildError> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for (number, input) in node.inputs.iter().enumerate() {
            let stage = self.stage_of.get(*input).copied().flatten();
            let stage = stage.ok_or_else(|| BuildError::Disordered(node.uid.clone()))?;
            inputs.push(match &keys {
                None => StageInput::Same(stage),
                Some(keys) => {
                    let keys = keys.get(number).ok_or_else(|| BuildError::Disordered(node.uid.clone()))?.clone();
                    StageInput::Exchanged { stage, keys }
                }
            });
        }
        self.push(place, inputs, links);
        Ok(())
    }

    fn push(&mut self, place: usize, inputs: Vec<StageInput>, links: Vec<Link>) {
        self.stages.push(Stage { inputs, links, sink: None });
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
        self.stages.push(Stage { inputs: vec![StageInput::Same(stage)], links: Vec::new(), sink: None });
        Ok(self.stages.len() - 1)
    }
}

impl Stage {
    /// The place in the plan of the source that the stage begins with, if it does.
    pub fn source(&self) -> Option<usize> {
        match self.inputs[..] {
            [StageInput::Source(place)] => Some(place),
            _ => None,
        }
    }

    /// The stage's operators, for the thread that owns the key groups `owned`.
    pub fn chain(&self, plan: &StreamPlan, owned: KeyGroupRange, outside: &Outside) -> Result<Chain, BuildError> {
        let mut links = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let node = &plan.nodes[link.node];
            let inputs: Vec<&PlanNode> = plan.inputs(node).collect();
            let spec = Spec { node, inputs: &inputs, part: link.part, owned, outside };
            let operator =
                operators::build(&spec).map_err(|reason| BuildError::Operator { uid: node.uid.clone(), reason })?;
            links.push((node.uid.clone(), operator));
        }
        Ok(Chain::new(links))
    }
}
