//! Drawings of task graphs, as DOT or SVG.

use crate::{
    error::{Error, Result},
    files::whole::{Access, write_whole},
};
use layout::{
    backends::svg::SVGWriter,
    core::{base::Orientation, color::Color, geometry::Point, style::StyleAttr},
    std_shapes::shapes::{Arrow, Element, ShapeKind},
    topo::layout::VisualGraph,
};
use std::{fmt::Write, path::Path, sync::Arc};

/// A graph to be drawn: names, and for each the places of those it is made from.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    nodes: Vec<(String, Vec<usize>)>,
}

impl Picture {
    /// Adds a node that is made from those at these places.
    pub(crate) fn add(&mut self, name: String, inputs: Vec<usize>) {
        self.nodes.push((name, inputs));
    }

    /// Writes DOT if the path ends in `.dot` or `.gv`, else SVG.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let is_dot = path.extension().is_some_and(|extension| extension == "dot" || extension == "gv");
        let text = if is_dot { self.dot() } else { self.svg() };
        let written = write_whole(path, Access::Usual, |file| file.write_all(text.as_bytes()));
        written.map_err(|source| Error::File {
            message: "the picture of the graph cannot be written".into(),
            path: path.into(),
            source: Arc::new(source),
        })
    }

    fn dot(&self) -> String {
        let mut text = "digraph {\n    rankdir=BT;\n    node [shape=box, style=rounded];\n".to_string();
        for (place, (name, inputs)) in self.nodes.iter().enumerate() {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            writeln!(text, "    n{place} [label=\"{name}\"];").expect("a string takes all");
            for input in inputs {
                writeln!(text, "    n{input} -> n{place};").expect("a string takes all");
            }
        }
        text + "}\n"
    }

    pub(crate) fn svg(&self) -> String {
        let mut graph = VisualGraph::new(Orientation::TopToBottom);
        let style = || StyleAttr::new(Color::fast("black"), 1, Some(Color::fast("white")), 6, 15);
        let add = |(name, _): &(String, Vec<usize>)| {
            let lines = name.lines().count().max(1) as f64;
            let width = name.lines().map(|line| line.chars().count()).max().unwrap_or(0) as f64;
            let size = Point::new(30.0 + 9.5 * width, 18.0 + 20.0 * lines);
            let shape = ShapeKind::new_box(name);
            graph.add_node(Element::create(shape, style(), Orientation::TopToBottom, size))
        };
        let handles: Vec<_> = self.nodes.iter().map(add).collect();
        for (place, (_, inputs)) in self.nodes.iter().enumerate() {
            for input in inputs {
                graph.add_edge(Arrow::simple(""), handles[*input], handles[place]);
            }
        }
        let mut writer = SVGWriter::new();
        // The layout wants something to lay out.
        if !self.nodes.is_empty() {
            graph.do_it(false, false, false, &mut writer);
        }
        writer.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_are_written_as_dot_and_svg() {
        let mut picture = Picture::default();
        picture.add("left".into(), vec![]);
        picture.add("right \"quoted\"".into(), vec![]);
        picture.add("sum".into(), vec![0, 1]);
        let dot = picture.dot();
        assert!(
            dot.contains("n0 -> n2;") && dot.contains("n1 -> n2;") && dot.contains("\\\"quoted\\\""),
            "{dot}"
        );
        let svg = picture.svg();
        assert!(svg.starts_with("<?xml") && svg.contains("</svg>") && svg.contains("sum"), "{svg}");
        assert!(Picture::default().svg().contains("</svg>"));
    }
}
