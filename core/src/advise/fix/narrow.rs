//! The least stages, and the fewest barriers made visible, with which a set of additions mends.
//!
//! More stages never order less. So a stage without which the set does not mend, all others named, is needed; of the rest every
//! subset is tried, the smallest first, as long as it can be cheaper than what is known.
use super::addition::{Addition, Cost, cost};
use super::problem::Problem;
use crate::Stage;
use crate::program::UnknownName;

/// Something that may be left out of a set: a stage of one of its additions, of the second side or of the first, or a visibility.
#[derive(Clone, Copy)]
enum Part {
    Stage { place: usize, second: bool, stage: Stage },
    Show(usize),
}

/// The cheapest that a set which mends becomes with fewer stages and visibilities, where that is cheaper than `limit`.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn narrowest(
    problem: &Problem<'_>,
    set: Vec<Addition>,
    limit: Cost,
) -> Result<Option<Vec<Addition>>, UnknownName> {
    let mut open = Vec::new();
    for part in parts(&set) {
        if let Some(less) = without(&set, part)
            && problem.is_mended(&kept(&less))?
        {
            open.push(part);
        }
    }
    let mut search = Search { problem, open, best: None, limit };
    search.from(0, set.into_iter().map(Some).collect())?;
    Ok(search.best)
}

struct Search<'a> {
    problem: &'a Problem<'a>,
    open: Vec<Part>,
    best: Option<Vec<Addition>>,
    limit: Cost,
}

impl Search<'_> {
    /// Leaves out what it can of the open parts from this one on. What it is given mends.
    fn from(&mut self, next: usize, set: Vec<Option<Addition>>) -> Result<(), UnknownName> {
        let own = kept(&set);
        let (scopes, stages) = cost(&own);
        let most = self.open.len() - next;
        if (scopes, stages.saturating_sub(most as u32)) >= self.limit {
            return Ok(());
        }
        let Some(&part) = self.open.get(next) else {
            self.limit = (scopes, stages);
            self.best = Some(own);
            return Ok(());
        };
        if let Some(less) = less(&set, part)
            && self.problem.is_mended(&kept(&less))?
        {
            self.from(next + 1, less)?;
        }
        self.from(next + 1, set)
    }
}

fn parts(set: &[Addition]) -> Vec<Part> {
    let mut all = Vec::new();
    for (addition, place) in set.iter().zip(0..) {
        if matches!(addition, Addition::Show { .. }) {
            all.push(Part::Show(place));
        }
        let Some((after, before)) = addition.stages() else { continue };
        for (stages, second) in [(after, false), (before, true)] {
            all.extend(stages.iter_stages().map(|stage| Part::Stage { place, second, stage }));
        }
    }
    all
}

fn without(set: &[Addition], part: Part) -> Option<Vec<Option<Addition>>> {
    let all: Vec<Option<Addition>> = set.iter().cloned().map(Some).collect();
    less(&all, part)
}

/// A set without a part; nothing where a side would name no stage.
fn less(set: &[Option<Addition>], part: Part) -> Option<Vec<Option<Addition>>> {
    let mut less = set.to_vec();
    match part {
        Part::Show(place) => *less.get_mut(place)? = None,
        Part::Stage { place, second, stage } => {
            let (after, before) = less.get_mut(place)?.as_mut()?.stages_mut()?;
            let own = if second { before } else { after };
            own.remove(stage.mask());
            if own.is_empty() {
                return None;
            }
        }
    }
    Some(less)
}

fn kept(set: &[Option<Addition>]) -> Vec<Addition> {
    set.iter().flatten().cloned().collect()
}
