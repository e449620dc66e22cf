//! The stored rows of one side of a regular join.

use arrow::array::{ArrayRef, BooleanArray, Int8Array};
use arrow::compute::filter;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use hashbrown::HashSet;
use tidemill_plan::Changelog;

use super::ages::Ages;
use super::chains::Chains;
use super::identities::Identities;
use crate::change::is_addition;
use crate::rows::{NO_ROW, RowId, RowStore};

/// The rows of one side.
pub struct JoinSide {
    pub rows: RowStore,
    pub chains: Chains,
    /// How many rows of the other side match each row, where results depend on it.
    pub matches: Option<Vec<u32>>,
    /// Where rows are taken back.
    pub identities: Option<Identities>,
    /// Where rows are forgotten.
    pub ages: Option<Ages>,
    /// The place of each row in the batch that brought it; of use only while that is stored.
    came_at: Vec<u32>,
}

/// What became of a batch's rows in the store.
#[derive(Default)]
pub struct Stored {
    /// The number of each row that is in the store now, else [`NO_ROW`].
    pub ids: Vec<RowId>,
    /// How many matches the row had that a retraction has taken out, or [`UNKNOWN`]. Empty if there are no retractions.
    pub had: Vec<u32>,
    /// Retractions of rows that are not there. Empty if there are none.
    pub is_void: Vec<bool>,
    /// How many rows have been taken out.
    pub removed: usize,
}

/// The number of matches of a row that came in this batch.
pub const UNKNOWN: u32 = u32::MAX;

impl JoinSide {
    pub fn new(
        schema: &SchemaRef,
        changelog: &Changelog,
        is_tracked: bool,
        ttl_ms: Option<u64>,
    ) -> Result<Self, String> {
        let identities = match changelog {
            Changelog::Append => None,
            Changelog::Retract => Some(Identities::new(schema)?),
            Changelog::Upsert { .. } => return Err("an input of it has to be normalized first".to_string()),
        };
        Ok(Self {
            rows: RowStore::new(schema.clone()),
            chains: Chains::default(),
            matches: is_tracked.then(Vec::new),
            identities,
            ages: ttl_ms.map(Ages::new),
            came_at: Vec::new(),
        })
    }

    /// Stores a batch's rows and takes out those that it takes back.
    pub fn store(
        &mut self,
        columns: &[ArrayRef],
        changes: Option<&Int8Array>,
        groups: &[u32],
    ) -> Result<Stored, ArrowError> {
        let mut stored = Stored::default();
        match changes {
            None => {
                self.rows.insert(columns, groups.len(), &mut stored.ids)?;
                groups.iter().zip(&stored.ids).for_each(|(group, id)| self.chains.push(*group, *id));
                self.arrived(&stored.ids);
                if let Some(identities) = &mut self.identities {
                    let values = identities.of(columns, groups.len())?;
                    values.iter().zip(&stored.ids).for_each(|(value, id)| identities.insert(*value, *id));
                }
            }
            Some(changes) => self.store_changes(columns, changes, groups, &mut stored)?,
        }
        Ok(stored)
    }

    fn store_changes(
        &mut self,
        columns: &[ArrayRef],
        changes: &Int8Array,
        groups: &[u32],
        stored: &mut Stored,
    ) -> Result<(), ArrowError> {
        let additions: BooleanArray = (0..groups.len()).map(|row| Some(is_addition(Some(changes), row))).collect();
        let added: Vec<ArrayRef> = columns.iter().map(|column| filter(column, &additions)).collect::<Result<_, _>>()?;
        let mut new = Vec::new();
        self.rows.insert(&added, additions.true_count(), &mut new)?;
        self.arrived(&new);
        let Self { rows, chains, matches, identities, came_at, .. } = self;
        came_at.resize(rows.capacity(), 0);
        let identities = identities.as_mut().expect("a side whose rows are taken back has identities");
        let values = identities.of(columns, groups.len())?;
        let mut new = new.into_iter();
        *stored = Stored {
            ids: vec![NO_ROW; groups.len()],
            had: vec![UNKNOWN; groups.len()],
            is_void: Vec::new(),
            removed: 0,
        };
        let mut gone = Vec::new();
        for (row, (group, value)) in groups.iter().zip(values).enumerate() {
            if additions.value(row) {
                let id = new.next().expect("each addition has a number");
                chains.push(*group, id);
                identities.insert(value, id);
                stored.ids[row] = id;
                came_at[id as usize] = row as u32;
            } else if let Some(id) = identities.take(value) {
                chains.remove(id);
                gone.push(id);
                match stored.ids.get_mut(came_at[id as usize] as usize) {
                    Some(new) if *new == id => *new = NO_ROW,
                    _ => stored.had[row] = matches.as_ref().map_or(UNKNOWN, |matches| matches[id as usize]),
                }
            } else {
                stored.is_void.resize(groups.len(), false);
                stored.is_void[row] = true;
            }
        }
        stored.removed = gone.len();
        gone.into_iter().for_each(|id| rows.remove(id));
        Ok(())
    }

    fn arrived(&mut self, ids: &[RowId]) {
        if let Some(matches) = &mut self.matches {
            matches.resize(self.rows.capacity(), 0);
        }
        self.ages.iter_mut().for_each(|ages| ages.note(ids));
    }

    /// Which rows are the first of their groups.
    pub fn firsts(&self, groups: &[u32]) -> BooleanArray {
        let mut new = HashSet::new();
        groups.iter().map(|group| Some(self.chains.is_empty(*group) && new.insert(*group))).collect()
    }

    pub fn bytes(&self) -> usize {
        self.rows.bytes()
            + self.chains.bytes()
            + self.matches.as_ref().map_or(0, |matches| matches.capacity() * size_of::<u32>())
            + self.identities.as_ref().map_or(0, Identities::bytes)
            + self.ages.as_ref().map_or(0, Ages::bytes)
            + self.came_at.capacity() * size_of::<u32>()
    }
}
