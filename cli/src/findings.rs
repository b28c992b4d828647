//! Findings on paper: for people with the lines they are about, and as data.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use fencepost_cli::format::{Parsed, SourceMap, parse};
use fencepost_core::advise::{Mending, Remedies, advise_order};
use fencepost_core::explain::{Code, Explainer, Explanation};
use fencepost_core::program::{Locus, Program, ResourceIndex};
use fencepost_core::validate::{Finding, Kind, Severity, Spot, validate_order};
use fencepost_core::{Conflict, Order};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan,
};

/// A program with all that is wrong with it.
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) source: Arc<str>,
    pub(crate) program: Program,
    pub(crate) places: SourceMap,
    pub(crate) order: Order,
    pub(crate) findings: Vec<Finding>,
}

/// A file that is no program, told in full.
pub(crate) struct NoProgram(pub(crate) String);

impl Checked {
    /// Reads and validates a file.
    pub(crate) fn read(path: &Path) -> Result<Self, NoProgram> {
        let name = path.display().to_string();
        let source = std::fs::read_to_string(path)
            .map_err(|error| NoProgram(format!("fencepost: {name} cannot be read: {error}\n")))?;
        Self::of(&name, &source)
    }

    /// Validates a text.
    pub(crate) fn of(name: &str, source: &str) -> Result<Self, NoProgram> {
        let Parsed { program, source_map } =
            parse(name, source).map_err(|error| NoProgram(error.report(COLUMNS, false)))?;
        let order =
            Order::of(&program).map_err(|error| NoProgram(format!("fencepost: {name}: {error}\n")))?;
        let findings = validate_order(&program, &order);
        let source = Arc::from(source);
        Ok(Self { name: name.to_owned(), source, program, places: source_map, order, findings })
    }

    /// Adds advice behind what is wrong.
    pub(crate) fn advise(mut self) -> Result<Self, NoProgram> {
        let advice = advise_order(&self.program, &self.order)
            .map_err(|error| NoProgram(format!("fencepost: {}: {error}\n", self.name)))?;
        self.findings.extend(advice);
        Ok(self)
    }

    /// How many findings there are of a severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == severity).count()
    }

    /// What mends the errors.
    pub(crate) fn remedies(&self) -> Remedies<'_> {
        Remedies::of(&self.program, &self.order)
    }

    /// A finding as a person reads it, with its lines.
    pub(crate) fn report(&self, remedies: &Remedies<'_>, finding: &Finding, colour: bool) -> String {
        let explainer = Explainer::of(&self.program);
        let Explanation { what, order, advice } = explainer.explain(finding);
        let mut labels = Vec::new();
        if let Some(span) = finding.second.and_then(|spot| self.span(spot)) {
            labels.push(LabeledSpan::new_primary_with_span(Some(self.label(finding, true)), span));
        }
        if let Some(span) = finding.first.and_then(|spot| self.span(spot)) {
            labels.push(LabeledSpan::new_with_span(Some(self.label(finding, false)), span));
        }
        if let (true, Some(resource)) = (labels.is_empty(), finding.resource) {
            labels.extend(self.resource(resource));
        }
        let shown = Shown {
            what,
            code: code(finding),
            severity: finding.severity(),
            labels,
            help: {
                let fix = self.code(&explainer, remedies, finding);
                let fix = fix.into_iter().flat_map(|Code { text, metal, calls }| {
                    [format!("Fix: {text}"), format!("In Metal: {metal}"), format!("In Rust: {calls}")]
                });
                order.into_iter().chain([advice]).chain(fix).collect::<Vec<_>>().join("\n")
            },
            source: NamedSource::new(&self.name, Arc::clone(&self.source)),
        };
        render(&shown, colour)
    }

    /// A line of the text that does not hold.
    pub(crate) fn complain(
        &self,
        span: Option<SourceSpan>,
        what: String,
        label: &str,
        colour: bool,
    ) -> String {
        let labels = span.map(|span| LabeledSpan::new_primary_with_span(Some(label.to_owned()), span));
        let shown = Shown {
            what,
            code: "expectation".to_owned(),
            severity: Severity::Error,
            labels: labels.into_iter().collect(),
            help: String::new(),
            source: NamedSource::new(&self.name, Arc::clone(&self.source)),
        };
        render(&shown, colour)
    }

    /// What mends a finding, as code.
    fn code(&self, explainer: &Explainer<'_>, remedies: &Remedies<'_>, finding: &Finding) -> Option<Code> {
        Mending::of(&self.program, remedies, finding).map(|mending| explainer.code(&mending))
    }

    /// The findings as one object.
    pub(crate) fn json(&self) -> String {
        let explainer = Explainer::of(&self.program);
        let remedies = self.remedies();
        let path = |spot: Option<Spot>| Json(spot.map(|spot| explainer.path(spot)));
        let mut objects = Vec::new();
        for finding in &self.findings {
            let explanation = explainer.explain(finding);
            let code = self.code(&explainer, &remedies, finding);
            let primitive = remedies.of_finding(finding).and_then(|repair| repair.scope);
            let resource = finding.resource.map(|resource| explainer.resource(resource).to_owned());
            let extent = finding.resource.zip(finding.extent.as_ref());
            let extent = extent.map(|(resource, extent)| explainer.extent(resource, extent));
            let severity = match finding.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Advice => "advice",
            };
            let fix = code.as_ref().map_or(&explanation.advice, |code| &code.text);
            let mut properties = vec![
                ("code", Json(Some(finding.code().to_owned()))),
                ("severity", Json(Some(severity.to_owned()))),
                ("first", path(finding.first)),
                ("second", path(finding.second)),
                ("resource", Json(resource)),
                ("extent", Json(extent)),
                ("detail", Json(detail(finding).map(str::to_owned))),
                ("message", Json(Some(explanation.message()))),
                ("fix", Json(Some(fix.clone()))),
                ("fix_primitive", Json(primitive.map(|scope| scope.name().to_owned()))),
                ("fix_metal", Json(code.as_ref().map(|code| code.metal.clone()))),
                ("fix_calls", Json(code.as_ref().map(|code| code.calls.clone()))),
                ("advice", Json(Some(explanation.advice))),
            ];
            if let Kind::TooWide(wide) = &finding.kind {
                let ends = wide.frees.map(|(first, second)| [first, second].map(Spot::At));
                let ends = ends.map(|ends| ends.map(|end| explainer.path(end)).join(" "));
                properties.push(("frees", Json(ends)));
            }
            let properties = properties.iter().map(|(name, value)| format!("\"{name}\": {value}"));
            objects.push(format!("{{{}}}", properties.collect::<Vec<_>>().join(", ")));
        }
        let list =
            if objects.is_empty() { String::new() } else { format!("\n  {}\n", objects.join(",\n  ")) };
        format!("{{\"file\": {}, \"findings\": [{list}]}}", Json(Some(self.name.clone())))
    }

    fn span(&self, spot: Spot) -> Option<SourceSpan> {
        match spot {
            Spot::At(Locus::PassItem { buffer, pass, item }) => self.places.pass_item(buffer, pass, item),
            Spot::At(Locus::Event { buffer, item } | Locus::Pass { buffer, pass: item }) => {
                self.places.item(buffer, item)
            }
            Spot::At(Locus::Step(number)) => self.places.step(number),
            Spot::Pass(buffer, pass) => self.places.item(buffer, pass),
            Spot::CommandBuffer(buffer) => self.places.command_buffer(buffer),
        }
    }

    fn resource(&self, resource: ResourceIndex) -> Option<LabeledSpan> {
        let span = self.places.resource(resource)?;
        Some(LabeledSpan::new_primary_with_span(Some("this one".to_owned()), span))
    }

    fn label(&self, finding: &Finding, second: bool) -> String {
        let clash = match &finding.kind {
            Kind::Race(clash) | Kind::Stale(clash) => clash,
            Kind::Managed(_) => {
                return if second { "reads one copy" } else { "writes the other copy" }.to_owned();
            }
            _ => return if second { "here" } else { "and this" }.to_owned(),
        };
        let touch = if second { &clash.second } else { &clash.first };
        let verb = match (touch.kind.reads(), touch.kind.writes()) {
            (true, true) => "reads and writes",
            (true, false) => "reads",
            (false, _) => "writes",
        };
        format!("{verb} {}", self.program.resource(touch.resource).name)
    }
}

/// `race (raw)`, `misuse (empty-stages)`, `stuck`.
fn code(finding: &Finding) -> String {
    match detail(finding) {
        Some(detail) => format!("{} ({detail})", finding.code()),
        None => finding.code().to_owned(),
    }
}

/// What kind of race, which misuse.
fn detail(finding: &Finding) -> Option<&'static str> {
    match &finding.kind {
        Kind::Race(clash) | Kind::Stale(clash) => Some(match clash.conflict() {
            Conflict::ReadAfterWrite => "raw",
            Conflict::WriteAfterRead => "war",
            Conflict::WriteAfterWrite => "waw",
        }),
        Kind::Managed(managed) => Some(managed.code()),
        Kind::Misuse(misuse) => Some(misuse.code()),
        _ => None,
    }
}

/// How wide a line gets.
pub(crate) const COLUMNS: usize = 110;

#[derive(Debug)]
struct Shown {
    what: String,
    code: String,
    severity: Severity,
    labels: Vec<LabeledSpan>,
    help: String,
    source: NamedSource<Arc<str>>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }
}

fn render(shown: &Shown, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(COLUMNS).without_cause_chain();
    let mut report = String::new();
    // Writing to a string does not fail; a place outside the text would, and the parser makes none.
    if handler.render_report(&mut report, shown).is_err() {
        report = format!("{}: {shown}\n  {}\n", shown.code, shown.help);
    }
    report
}

/// A string or nothing, as JSON writes it.
struct Json(Option<String>);

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = &self.0 else { return f.write_str("null") };
        f.write_str("\"")?;
        for letter in text.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                letter if (letter as u32) < 0x20 => write!(f, "\\u{:04x}", letter as u32)?,
                letter => write!(f, "{letter}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Whether what is printed is seen by a person who may like colours.
pub(crate) fn colour() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// How many of a thing.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
