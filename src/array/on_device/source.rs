//! Kernels as text in OpenCL C, with what their parameters are for a block. Pure.

use super::{
    expression::{self, name, wrapping},
    layout::{Layout, Leaf, Region},
    needs_doubles, reduction, state_needs_doubles,
};
use crate::array::{
    DataType,
    element::Scalar,
    kernel::{
        Kernel, Operation, Scope, Step,
        generate::{Distribution, Generator, limits_f32, limits_f64},
        operators::Binary,
        reduce::Reduction,
    },
    random::{Key, Source},
};
use std::{fmt::Write, ops::Range};

/// A kernel's text, and what it is to be launched with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Printed {
    pub(crate) source: String,
    pub(crate) arguments: Vec<Argument>,
    /// The buffers that it writes: the type and number of their elements.
    pub(crate) outputs: Vec<(DataType, usize)>,
    /// How many items, in two dimensions, and how many of them are a group.
    pub(crate) items: [usize; 2],
    pub(crate) group: Option<[usize; 2]>,
}

/// What a parameter is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    /// A buffer that is written, by its number.
    Output(usize),
    /// An input block: which, and which of its elements may be read.
    Input(usize, Range<i64>),
    Number(Scalar),
}

/// How a reduction is spread over the items of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// How many items a group has.
    pub(crate) group: usize,
    /// How many items next to each other work for places of the result next to each other, where
    /// neighbours in memory go to neighbours in the result.
    pub(crate) across: usize,
}

impl Form {
    /// Neighbours read neighbours, and latencies hide behind each other.
    pub(crate) const GPU: Self = Self { group: 256, across: 32 };
    /// One item after the other, each with a stretch of its own.
    pub(crate) const CPU: Self = Self { group: 1, across: 1 };
}

/// At most so many elements go to one group, and at most so many groups to one place of the result. Both
/// are the same for all devices.
const SEGMENT_LENGTH: usize = 1 << 14;
const SEGMENTS_MAX: usize = 1 << 10;

/// The kernel that makes a block of a kernel. `inputs` are the shapes of its inputs.
pub(crate) fn block(kernel: &Kernel, block: usize, inputs: &[Vec<usize>]) -> Printed {
    let (starts, shape) = kernel.grid.region(block);
    let region = Region { starts: &starts, shape: &shape, whole: &kernel.grid.shape(), reduced: &[] };
    let layout = Layout::new(&kernel.scope, &region, inputs);
    let data_type = kernel.scope.data_type();
    let count: usize = shape.iter().product();
    let mut printer = Printer::new(layout, shape.len());
    printer.output(data_type, count);
    printer.each(count);
    let result = printer.scope(&kernel.scope, "s");
    printer.line(&format!("out0[at] = {result};"));
    let doubles = needs_doubles(&kernel.scope);
    // Groups of any size fit, and drivers like multiples of a power of two.
    printer.printed("block", "", doubles, [count.next_multiple_of(64), 1], None)
}

/// The kernel that reduces a block, and how many parts of it, each a state, come of that.
pub(crate) fn state(
    kernel: &Kernel,
    what: Reduction,
    reduced: &[bool],
    block: usize,
    inputs: &[Vec<usize>],
    form: Form,
) -> (Printed, usize) {
    let (starts, shape) = kernel.grid.region(block);
    let region = Region { starts: &starts, shape: &shape, whole: &kernel.grid.shape(), reduced };
    let layout = Layout::new(&kernel.scope, &region, inputs);
    let (places, length) = layout.counts();
    let segments = (length.div_ceil(SEGMENT_LENGTH)).clamp(1, SEGMENTS_MAX);
    let segment = length.div_ceil(segments).max(1);
    let segments = length.div_ceil(segment).max(1);
    let inner_is_kept = reduced.iter().zip(&shape).rev().find(|(_, length)| **length != 1);
    let across = if inner_is_kept.is_some_and(|(reduced, _)| !reduced) { form.across } else { 1 };
    let data_type = kernel.scope.data_type();
    let accumulator = reduction::accumulator(what, data_type);
    let mut printer = Printer::new(layout, shape.len());
    for (own, _) in &accumulator.results {
        printer.output(*own, places * segments);
    }
    printer.parameter("places", Scalar::U32(places as u32));
    printer.parameter("length", Scalar::U32(length as u32));
    printer.parameter("segment", Scalar::U32(segment as u32));
    printer.reduction(&kernel.scope, &accumulator);
    let head = format!("#define GROUP {}\n#define ACROSS {across}\n", form.group);
    let doubles = needs_doubles(&kernel.scope) || state_needs_doubles(what, data_type);
    let items = [places.div_ceil(across) * form.group, segments];
    (printer.printed("state", &head, doubles, items, Some([form.group, 1])), segments)
}

struct Printer {
    layout: Layout,
    /// How many axes the scope has that is printed, those of folds included.
    axes: usize,
    /// How many leaves were printed.
    leaves: usize,
    parameters: Vec<String>,
    arguments: Vec<Argument>,
    outputs: Vec<(DataType, usize)>,
    body: String,
    indent: usize,
    needs_numbers: bool,
    needs_random: bool,
    needs_reductions: bool,
}

impl Printer {
    fn new(layout: Layout, axes: usize) -> Self {
        Self {
            layout,
            axes,
            leaves: 0,
            parameters: Vec::new(),
            arguments: Vec::new(),
            outputs: Vec::new(),
            body: String::new(),
            indent: 0,
            needs_numbers: false,
            needs_random: false,
            needs_reductions: false,
        }
    }

    fn line(&mut self, text: &str) {
        for line in text.lines() {
            writeln!(self.body, "{:width$}{line}", "", width = 4 * self.indent).expect("a string takes all");
        }
    }

    fn output(&mut self, data_type: DataType, count: usize) {
        let number = self.outputs.len();
        self.parameters.push(format!("global {} *restrict out{number}", name(data_type)));
        self.arguments.push(Argument::Output(number));
        self.outputs.push((data_type, count));
    }

    fn parameter(&mut self, called: &str, number: Scalar) {
        self.parameters.push(format!("const {} {called}", name(type_of(number))));
        // There are no parameters of type `bool`.
        let number = if let Scalar::Bool(truth) = number { Scalar::U8(truth.into()) } else { number };
        self.arguments.push(Argument::Number(number));
    }

    /// A parameter for a number; returns what it is called.
    fn number(&mut self, number: Scalar) -> String {
        let called = format!("a{}", self.arguments.len());
        self.parameter(&called, number);
        called
    }

    /// Begins a kernel with an item for each of `count` places.
    fn each(&mut self, count: usize) {
        self.parameter("count", Scalar::U32(count as u32));
        self.indent = 1;
        self.line("const uint at = get_global_id(0);");
        self.line("if (at >= count) return;");
        self.coordinates("at", 0..self.layout.lengths.len());
    }

    /// Declares the coordinates of some axes, `i0` and so on, of the element counted as `of` among them.
    fn coordinates(&mut self, of: &str, axes: Range<usize>) {
        let first = axes.start;
        let mut rest = of.to_string();
        for axis in axes.rev() {
            if axis == first {
                self.line(&format!("const uint i{axis} = {rest};"));
                continue;
            }
            let length = Scalar::U32(self.layout.lengths[axis] as u32);
            let length = self.number(length);
            self.line(&format!("const uint i{axis} = ({rest}) % {length};"));
            self.line(&format!("const uint r{axis} = ({rest}) / {length};"));
            rest = format!("r{axis}");
        }
    }

    /// The index of the next leaf's element.
    fn index(&mut self) -> (String, Leaf) {
        let leaf = self.layout.leaves[self.leaves].clone();
        self.leaves += 1;
        (self.index_of(&leaf), leaf)
    }

    fn index_of(&mut self, leaf: &Leaf) -> String {
        let mut terms = Vec::new();
        if leaf.base != 0 {
            terms.push(self.number(Scalar::I64(leaf.base)));
        }
        let outer = leaf.strides.iter().enumerate().map(|(axis, stride)| (format!("i{axis}"), *stride));
        let folded = leaf.folded.iter().map(|(axis, _, stride)| (format!("j{axis}"), *stride));
        for (axis, stride) in outer.chain(folded) {
            match stride {
                0 => {}
                1 => terms.push(axis),
                stride => {
                    let stride = self.number(Scalar::I64(stride));
                    terms.push(format!("{axis} * {stride}"));
                }
            }
        }
        if terms.is_empty() { "0".into() } else { terms.join(" + ") }
    }

    /// Prints the steps of a scope; returns what the last one is called.
    fn scope(&mut self, scope: &Scope, prefix: &str) -> String {
        let mut names: Vec<String> = Vec::new();
        for (index, step) in scope.steps.iter().enumerate() {
            let own = format!("{prefix}{index}");
            let named = self.step(scope, step, &names, &own);
            names.push(named);
        }
        names.pop().expect("a scope has a result")
    }

    fn step(&mut self, scope: &Scope, step: &Step, names: &[String], own: &str) -> String {
        let of = |index: usize| scope.steps[index].data_type;
        let fit = "what is not for devices goes to none";
        let value = match &step.operation {
            Operation::Constant(scalar) => return self.number(*scalar),
            Operation::Input { slot, .. } => self.input(*slot, step.data_type),
            Operation::Generated { generator, .. } => self.generated(*generator, step.data_type, own),
            Operation::Unary(operator, a) => expression::unary(*operator, of(*a), &names[*a]).expect(fit),
            Operation::Binary(operator, a, b) => {
                use Binary::{FloorDivide, Power, Remainder};
                self.needs_numbers |= matches!(operator, FloorDivide | Power | Remainder);
                expression::binary(*operator, of(*a), &names[*a], &names[*b]).expect(fit)
            }
            Operation::Select(condition, yes, no) => {
                format!("{} ? {} : {}", names[*condition], names[*yes], names[*no])
            }
            Operation::Cast(a) => expression::cast(of(*a), step.data_type, &names[*a]).expect(fit),
            Operation::Fold { reduction, scope: inner, lengths } => {
                self.fold(*reduction, inner, lengths, step.data_type, own)
            }
        };
        self.line(&format!("const {} {own} = {value};", name(step.data_type)));
        own.to_string()
    }

    fn input(&mut self, slot: usize, data_type: DataType) -> String {
        let (index, leaf) = self.index();
        let span = leaf.span(&self.layout.lengths);
        let known = self.arguments.iter_mut().find_map(|argument| match argument {
            Argument::Input(own, span) if *own == slot => Some(span),
            _ => None,
        });
        match known {
            Some(known) => *known = known.start.min(span.start)..known.end.max(span.end),
            None => {
                self.parameters.push(format!("global const {} *restrict x{slot}", name(data_type)));
                self.arguments.push(Argument::Input(slot, span));
            }
        }
        format!("x{slot}[{index}]")
    }

    /// An element that is made from its index, as `Generator::fill` makes it.
    fn generated(&mut self, generator: Generator, data_type: DataType, own: &str) -> String {
        let (index, _) = self.index();
        self.line(&format!("const long {own}_index = {index};"));
        let index = format!("{own}_index");
        let cast = |from, a: &str| expression::cast(from, data_type, a).expect("numbers have casts");
        match generator {
            Generator::Integers { start, step } => {
                let (start, step) = (self.number(Scalar::I64(start)), self.number(Scalar::I64(step)));
                let value = format!("(long)((ulong){start} + (ulong){step} * (ulong){index})");
                cast(DataType::I64, &value)
            }
            Generator::Reals { start, step } => {
                let (start, step) = (self.number(Scalar::F64(start)), self.number(Scalar::F64(step)));
                cast(DataType::F64, &format!("({start} + {step} * (double){index})"))
            }
            Generator::Linspace { start, stop, count } => {
                let step = (stop - start) / (count.max(2) - 1) as f64;
                let last = if count > 1 { count as i64 - 1 } else { -1 };
                let [start, stop, step] = [start, stop, step].map(|number| self.number(Scalar::F64(number)));
                let last = self.number(Scalar::I64(last));
                let value = format!("({index} == {last} ? {stop} : {start} + {step} * (double){index})");
                cast(DataType::F64, &value)
            }
            Generator::Eye { columns, diagonal } => {
                let columns = self.number(Scalar::I64(columns as i64));
                let diagonal = self.number(Scalar::I64(diagonal));
                cast(DataType::U8, &format!("({index} % {columns} == {index} / {columns} + {diagonal})"))
            }
            Generator::Random { distribution, key } => self.random(distribution, key, data_type, &index, own),
        }
    }

    /// Prints the draws of the pair of elements that one belongs to, and which of them is its own.
    fn draws(&mut self, key: Key, index: &str, own: &str) {
        let (function, keys, distance) = match Source::new(key).lane_keys() {
            Some(keys) => ("xoshiro", keys.map(|key| self.number(Scalar::U64(key))).join(", "), 16),
            None => ("philox", self.key(key), 1),
        };
        self.line(&format!("ulong {own}_second;"));
        self.line(&format!("const ulong {own}_first = {function}({index}, {keys}, &{own}_second);"));
        self.line(&format!("const bool {own}_is_second = ({index} & {distance}) != 0;"));
        self.line(&format!("const ulong {own}_draw = {own}_is_second ? {own}_second : {own}_first;"));
    }

    fn key(&mut self, key: Key) -> String {
        format!("{}, {}", self.number(Scalar::U64(key.seed)), self.number(Scalar::U32(key.stream)))
    }

    fn random(
        &mut self,
        distribution: Distribution,
        key: Key,
        data_type: DataType,
        index: &str,
        own: &str,
    ) -> String {
        self.needs_random = true;
        self.draws(key, index, own);
        let (own_type, wide) = (name(data_type), wrapping(data_type));
        let draw = format!("{own}_draw");
        let (value, factor, offset) = match distribution {
            Distribution::Uniform { low, high } => (format!("uniform_{own_type}({draw})"), high - low, low),
            Distribution::Normal { mean, deviation } => {
                let pair = format!("{own}_first, {own}_second, {own}_is_second");
                (format!("normal_{own_type}({pair})"), deviation, mean)
            }
            Distribution::Exponential { mean } => (format!("exponential_{own_type}({draw})"), mean, 0.0),
            Distribution::Bernoulli { probability } => {
                let probability = self.number(Scalar::F64(probability));
                return format!("(unit({draw}) < {probability})");
            }
            Distribution::Integers { low, high } => {
                let start = self.number(Scalar::U64(low as u64));
                // A span that does not fit is that of all numbers.
                let Ok(span) = u64::try_from(high - low) else {
                    return format!("({own_type})(({wide}){start} + ({wide}){draw})");
                };
                let least = self.number(Scalar::U64(span.wrapping_neg() % span));
                let span = self.number(Scalar::U64(span));
                let below = format!("below({draw}, {index}, {span}, {least}, {})", self.key(key));
                return format!("({own_type})(({wide}){start} + ({wide}){below})");
            }
            Distribution::Permutation { .. }
            | Distribution::Gamma { .. }
            | Distribution::Beta { .. }
            | Distribution::Poisson { .. }
            | Distribution::Binomial { .. }
            | Distribution::Variate(_) => unreachable!("{distribution:?} is not for devices"),
        };
        if (factor, offset) == (1.0, 0.0) {
            return value;
        }
        let scalar = |number: f64| match data_type {
            DataType::F32 => Scalar::F32(number as f32),
            _ => Scalar::F64(number),
        };
        let (factor, offset) = (self.number(scalar(factor)), self.number(scalar(offset)));
        let value = format!("{value} * {factor} + {offset}");
        let Distribution::Uniform { low, high } = distribution else { return value };
        let (least, most) = match data_type {
            DataType::F32 => {
                let (least, most) = limits_f32(low, high);
                (Scalar::F32(least), Scalar::F32(most))
            }
            _ => {
                let (least, most) = limits_f64(low, high);
                (Scalar::F64(least), Scalar::F64(most))
            }
        };
        format!("within_{own_type}({value}, {}, {})", self.number(least), self.number(most))
    }

    /// Prints the loops of a fold; returns its result.
    fn fold(
        &mut self,
        what: Reduction,
        inner: &Scope,
        lengths: &[usize],
        data_type: DataType,
        own: &str,
    ) -> String {
        self.needs_reductions = true;
        let accumulator = reduction::accumulator(what, inner.data_type());
        let prefix = format!("{own}_");
        self.line(&accumulator.declarations(&prefix));
        for length in lengths {
            let axis = self.axes;
            self.line(&format!("for (uint j{axis} = 0; j{axis} < {length}; j{axis}++) {{"));
            self.indent += 1;
            self.axes += 1;
        }
        let value = self.scope(inner, &prefix);
        self.line(&accumulator.addition(&prefix, &value, "0"));
        for _ in lengths {
            self.axes -= 1;
            self.indent -= 1;
            self.line("}");
        }
        let (from, result) = &accumulator.results[0];
        let result = format!("({})", result.replace('$', &prefix));
        expression::cast(*from, data_type, &result).expect("sums are numbers")
    }

    /// The body of a kernel that reduces: each item its own elements, then the items of a group theirs.
    fn reduction(&mut self, scope: &Scope, accumulator: &reduction::Accumulator) {
        self.needs_reductions = true;
        self.indent = 1;
        self.line("const uint item = get_local_id(0), lane = item % ACROSS, row = item / ACROSS;");
        self.line("const uint place = get_group_id(0) * ACROSS + lane;");
        self.line("const uint first = get_group_id(1) * segment, last = min(first + segment, length);");
        self.line(&accumulator.declarations("own_"));
        let (kept, axes) = (self.layout.kept, self.layout.lengths.len());
        self.coordinates("place", 0..kept);
        // All items of a group go round as often, so that a CPU's compiler can make vectors of them.
        self.line("for (uint start = first; start < last; start += GROUP / ACROSS) {");
        self.indent += 1;
        self.line("const uint at = start + row;");
        self.line("if (at < last && place < places) {");
        self.indent += 1;
        self.coordinates("at", kept..axes);
        let value = self.scope(scope, "s");
        let index = match accumulator.needs_index {
            true => self.index().0,
            false => "0".into(),
        };
        self.line(&accumulator.addition("own_", &value, &index));
        self.indent -= 1;
        self.line("}");
        self.indent -= 1;
        self.line("}");
        self.line(&accumulator.joining());
        self.line("if (row == 0 && place < places) {");
        self.indent += 1;
        for (number, (_, result)) in accumulator.results.iter().enumerate() {
            let result = result.replace('$', "own_");
            self.line(&format!("out{number}[get_group_id(1) * places + place] = {result};"));
        }
        self.indent -= 1;
        self.line("}");
    }

    fn printed(
        self,
        kernel: &str,
        head: &str,
        doubles: bool,
        items: [usize; 2],
        group: Option<[usize; 2]>,
    ) -> Printed {
        // What is rounded on a CPU is rounded here.
        let mut source = String::from("#pragma OPENCL FP_CONTRACT OFF\n");
        if doubles {
            source += "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n#define DOUBLES\n";
        }
        source += head;
        let helpers = [
            (self.needs_numbers, include_str!("numbers.cl")),
            (self.needs_random, include_str!("random.cl")),
            (self.needs_reductions, include_str!("reductions.cl")),
        ];
        helpers.iter().filter(|(is_needed, _)| *is_needed).for_each(|(_, text)| source += text);
        let parameters = self.parameters.join(",\n    ");
        let body = self.body;
        let attribute = match group {
            Some(_) => "__attribute__((reqd_work_group_size(GROUP, 1, 1)))\n",
            None => "",
        };
        write!(source, "\nkernel {attribute}void {kernel}(\n    {parameters})\n{{\n{body}}}\n")
            .expect("a string takes all");
        Printed { source, arguments: self.arguments, outputs: self.outputs, items, group }
    }
}

fn type_of(number: Scalar) -> DataType {
    match number {
        Scalar::Bool(_) => DataType::Bool,
        Scalar::U8(_) => DataType::U8,
        Scalar::U16(_) => DataType::U16,
        Scalar::U32(_) => DataType::U32,
        Scalar::U64(_) => DataType::U64,
        Scalar::I8(_) => DataType::I8,
        Scalar::I16(_) => DataType::I16,
        Scalar::I32(_) => DataType::I32,
        Scalar::I64(_) => DataType::I64,
        Scalar::F16(_) => DataType::F16,
        Scalar::F32(_) => DataType::F32,
        Scalar::F64(_) => DataType::F64,
        Scalar::Complex32(_) => DataType::Complex32,
        Scalar::Complex64(_) => DataType::Complex64,
    }
}
