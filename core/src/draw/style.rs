//! Colours and strokes, by day and by night.
//!
//! No difference is told by colour alone: reads are outlined and writes filled, what never happens is dashed, what
//! waits is hatched and says for what, findings carry numbers.
use super::route::Line;
use crate::timeline::ArrowKind;
use crate::{AccessKind, Stage};

pub(super) const fn bar(stage: Option<Stage>) -> &'static str {
    match stage {
        None => "cpu",
        Some(Stage::Blit) => "blit",
        Some(Stage::Dispatch) => "dispatch",
        Some(Stage::Vertex | Stage::Object | Stage::Mesh) => "vertex",
        Some(Stage::Fragment | Stage::Tile) => "fragment",
        Some(Stage::ResourceState | Stage::AccelerationStructure | Stage::MachineLearning) => "other",
    }
}

pub(super) const fn chip(kind: AccessKind, alarm: bool, ghost: bool) -> (&'static str, &'static str) {
    match (kind, alarm, ghost) {
        (_, _, true) => ("readchip", "muted"),
        (AccessKind::Read, false, _) => ("readchip", "small"),
        (AccessKind::Read, true, _) => ("readalarm", "alarm"),
        (AccessKind::Atomic, false, _) => ("atomicchip", "small"),
        (_, false, _) => ("writechip", "inverse"),
        (_, true, _) => ("writealarm", "inverse"),
    }
}

pub(super) const fn line(line: Line) -> &'static str {
    match line {
        Line::Missing(_) => "missing",
        Line::Order(ArrowKind::Stuck) => "missing",
        Line::Order(ArrowKind::Tracking) => "tracking",
        Line::Order(ArrowKind::Cpu) => "soft",
        Line::Order(_) => "order",
    }
}

/// Every style: its name, its form, and its rules with names of colours in braces.
pub(super) const STYLES: &[(&str, &str)] = &[
    ("ground", "fill:{paper}"),
    ("lane", "fill:{lane}"),
    ("cpulane", "fill:{lane}"),
    ("pass", "fill:{paper};stroke:{edge};stroke-width:1"),
    ("ghostpass", "fill:none;stroke:{edge};stroke-width:1;stroke-dasharray:4 3"),
    ("row", "fill:{row}"),
    ("blit", "fill:{blit};stroke:{blitedge};stroke-width:1.2"),
    ("dispatch", "fill:{dispatch};stroke:{dispatchedge};stroke-width:1.2"),
    ("vertex", "fill:{vertex};stroke:{vertexedge};stroke-width:1.2"),
    ("fragment", "fill:{fragment};stroke:{fragmentedge};stroke-width:1.2"),
    ("other", "fill:{cpu};stroke:{edge};stroke-width:1.2"),
    ("cpu", "fill:{cpu};stroke:{edge};stroke-width:1.2"),
    ("ghost", "fill:{paper};stroke:{edge};stroke-width:1;stroke-dasharray:4 3"),
    ("hold", "fill:url(#hatch)"),
    ("holdidle", "fill:none;stroke:{edge};stroke-width:1;stroke-dasharray:3 3"),
    ("holdnever", "fill:url(#redhatch);stroke:{red};stroke-width:1.5;stroke-dasharray:5 3"),
    ("wall", "fill:none;stroke:{ink};stroke-width:3"),
    ("softwall", "fill:none;stroke:{edge};stroke-width:3"),
    ("readchip", "fill:{paper};stroke:{edge};stroke-width:1"),
    ("writechip", "fill:{strong}"),
    ("atomicchip", "fill:{paper};stroke:{strong};stroke-width:1.5;stroke-dasharray:2 2"),
    ("readalarm", "fill:{redpaper};stroke:{red};stroke-width:1.2"),
    ("writealarm", "fill:{red}"),
    ("alarmframe", "fill:none;stroke:{red};stroke-width:2"),
    ("order", "fill:none;stroke:{ink};stroke-width:1.4"),
    ("tracking", "fill:none;stroke:{ink};stroke-width:1.4;stroke-dasharray:1.5 3"),
    ("soft", "fill:none;stroke:{edge};stroke-width:1.2;stroke-dasharray:4 3"),
    ("missing", "fill:none;stroke:{red};stroke-width:2;stroke-dasharray:6 4"),
    ("leader", "fill:none;stroke:{edge};stroke-width:1"),
    ("cross", "fill:none;stroke:{red};stroke-width:2"),
    ("crossground", "fill:{paper};stroke:{red};stroke-width:1.2"),
    ("head", "fill:{ink}"),
    ("softhead", "fill:{edge}"),
    ("redhead", "fill:{red}"),
    ("dot", "fill:{ink}"),
    ("ghostdot", "fill:{paper};stroke:{edge};stroke-width:1.5"),
    ("badge", "fill:{red}"),
    ("badgewarning", "fill:{amber}"),
    ("badgelabel", "fill:{paper};font-weight:700"),
    ("title", "fill:{ink};font-weight:700"),
    ("name", "fill:{ink};font-weight:700"),
    ("label", "fill:{ink};font-weight:700"),
    ("small", "fill:{ink}"),
    ("inverse", "fill:{paper}"),
    ("muted", "fill:{muted}"),
    ("mutedem", "fill:{muted};font-style:italic"),
    ("stage", "fill:{muted}"),
    ("holdlabel", "fill:{ink}"),
    ("marklabel", "fill:{ink}"),
    ("alarm", "fill:{red};font-weight:700"),
    ("caption", "fill:{ink}"),
    ("hatchline", "stroke:{hatch};stroke-width:2"),
    ("hatchground", "fill:{row}"),
    ("redhatchline", "stroke:{redhatch};stroke-width:2"),
    ("redhatchground", "fill:{redpaper}"),
];

/// Colours by name: on light ground, on dark ground.
pub(super) const COLOURS: &[(&str, &str, &str)] = &[
    ("paper", "#ffffff", "#0d1117"),
    ("ink", "#1f2328", "#e6edf3"),
    ("muted", "#59636e", "#9198a1"),
    ("lane", "#f3f5f8", "#171d26"),
    ("row", "#f0f3f6", "#1a212b"),
    ("edge", "#8b949e", "#6e7781"),
    ("strong", "#424a53", "#c9d1d9"),
    ("hatch", "#d5dbe2", "#2c3641"),
    ("blit", "#d3f1ec", "#0e3a36"),
    ("blitedge", "#0f766e", "#3fb8aa"),
    ("dispatch", "#dce8ff", "#172b52"),
    ("dispatchedge", "#2f5fcf", "#79a8ff"),
    ("vertex", "#fdeecb", "#3d2f0a"),
    ("vertexedge", "#9a6700", "#d9a93a"),
    ("fragment", "#ecdfff", "#33214f"),
    ("fragmentedge", "#7a3fb5", "#c297ff"),
    ("cpu", "#e4e8ed", "#2a313a"),
    ("red", "#cf222e", "#ff6b63"),
    ("redpaper", "#ffeeec", "#3a1417"),
    ("redhatch", "#f7c9c5", "#5c2125"),
    ("amber", "#8a5d00", "#d9a93a"),
];
