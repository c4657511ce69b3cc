//! Which stream gets its messages from which, as a graph: text for Graphviz, and a picture.
//! Node identities follow the order in which streams are first named.
//! Not here: where the edges come from (`stream::replication`).

use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::render::get_shape_size;
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;
use std::fmt::Write;

/// A picture of more edges than this cannot be read, and takes the layout long.
const PICTURE_EDGES_MAX: usize = 250;

const FONT_SIZE: usize = 14;

/// How a stream gets its messages from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeKind {
    /// Among others.
    Source,
    /// All of them, under the same sequences.
    Mirror,
}

#[derive(Debug)]
struct Edge {
    origin: usize,
    copy: usize,
    kind: EdgeKind,
    label: String,
}

/// The graph.
#[derive(Debug, Default)]
pub(super) struct Graph {
    streams: Vec<String>,
    edges: Vec<Edge>,
}

impl EdgeKind {
    fn color(self) -> &'static str {
        match self {
            Self::Source => "green",
            Self::Mirror => "blue",
        }
    }
}

impl Graph {
    /// Adds an edge and, if they are new, its ends.
    pub(super) fn add(&mut self, copy: &str, origin: &str, kind: EdgeKind, label: &str) {
        let copy = self.node(copy);
        let origin = self.node(origin);
        self.edges.push(Edge { origin, copy, kind, label: label.to_owned() });
    }

    fn node(&mut self, name: &str) -> usize {
        match self.streams.iter().position(|stream| stream == name) {
            Some(index) => index,
            None => {
                self.streams.push(name.to_owned());
                self.streams.len() - 1
            }
        }
    }

    /// Text for Graphviz.
    pub(super) fn dot(&self) -> String {
        let mut text = "digraph {\n\tlabel=\"Stream Replication Structure\";\n".to_owned();
        // Writing to a string does not fail.
        for (index, name) in self.streams.iter().enumerate() {
            let _ = writeln!(text, "\tn{}[label={}];", index + 1, quoted(name));
        }
        for Edge { origin, copy, kind, label } in &self.edges {
            let (origin, copy, color) = (origin + 1, copy + 1, kind.color());
            let label = match label.as_str() {
                "" => String::new(),
                label => format!(",label={}", quoted(label)),
            };
            let _ = writeln!(text, "\tn{origin}->n{copy}[color=\"{color}\"{label}];");
        }
        text + "}\n"
    }

    /// The picture, as SVG.
    pub(super) fn svg(&self) -> Result<String, String> {
        if self.edges.len() > PICTURE_EDGES_MAX {
            return Err(format!(
                "{} edges are too many for a picture; --dot writes them for Graphviz",
                self.edges.len()
            ));
        }
        let orientation = Orientation::LeftToRight;
        let mut picture = VisualGraph::new(orientation);
        // Its own checks follow every path of the graph each time an edge is added.
        picture.dag.set_validate(false);
        let fill = Some(Color::fast("white"));
        let node_style = StyleAttr::new(Color::fast("black"), 1, fill, 5, FONT_SIZE);
        let node = |name: &String| {
            let shape = ShapeKind::new_box(name);
            let size = get_shape_size(orientation, &shape, FONT_SIZE, false);
            Element::create(shape, node_style.clone(), orientation, size)
        };
        let nodes: Vec<_> = self.streams.iter().map(|name| picture.add_node(node(name))).collect();
        for Edge { origin, copy, kind, label } in &self.edges {
            let style = StyleAttr::new(Color::fast(kind.color()), 1, None, 0, FONT_SIZE);
            let (start, end, line) = (LineEndKind::None, LineEndKind::Arrow, LineStyleKind::Normal);
            let arrow = Arrow::new(start, end, line, label, &style, &None, &None);
            if let (Some(&origin), Some(&copy)) = (nodes.get(*origin), nodes.get(*copy)) {
                picture.add_edge(arrow, origin, copy);
            }
        }
        let mut writer = SVGWriter::new();
        // It cannot lay nothing out.
        if !nodes.is_empty() {
            picture.do_it(false, false, false, &mut writer);
        }
        // Black on whatever is behind it could not be read.
        Ok(writer.finalize().replacen("<svg ", "<svg style=\"background:white\" ", 1))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walkthrough() -> Graph {
        let mut graph = Graph::default();
        graph.add("ARCHIVE", "ORDERS", EdgeKind::Source, "");
        graph.add("ARCHIVE", "RETURNS", EdgeKind::Source, "RETURNS.new");
        graph.add("REPORT", "ARCHIVE", EdgeKind::Mirror, "Mirror");
        graph
    }

    #[test]
    fn dot_is_that_of_the_walkthrough() {
        let expected = "digraph {
\tlabel=\"Stream Replication Structure\";
\tn1[label=\"ARCHIVE\"];
\tn2[label=\"ORDERS\"];
\tn3[label=\"RETURNS\"];
\tn4[label=\"REPORT\"];
\tn2->n1[color=\"green\"];
\tn3->n1[color=\"green\",label=\"RETURNS.new\"];
\tn1->n4[color=\"blue\",label=\"Mirror\"];
}
";
        assert_eq!(walkthrough().dot(), expected);
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }

    #[test]
    fn pictures_hold_every_stream() {
        let svg = walkthrough().svg().unwrap();
        for text in ["ARCHIVE", "ORDERS", "RETURNS", "REPORT", "Mirror", "</svg>"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn circles_and_doubles_can_be_drawn() {
        let mut graph = Graph::default();
        for (copy, origin) in [("A", "A"), ("A", "B"), ("B", "A"), ("A", "B"), ("C", "<&>")] {
            graph.add(copy, origin, EdgeKind::Source, "a.>");
            graph.add(copy, origin, EdgeKind::Source, "");
        }
        assert!(graph.svg().unwrap().contains("&lt;&amp;&gt;"));
        assert!(Graph::default().svg().is_ok());
    }

    #[test]
    fn pictures_are_bounded() {
        let mut graph = Graph::default();
        for index in 0..PICTURE_EDGES_MAX {
            graph.add(
                &format!("copy {}", index % 50),
                &format!("origin {index}"),
                EdgeKind::Source,
                "",
            );
        }
        assert!(graph.svg().is_ok());
        graph.add("one", "more", EdgeKind::Mirror, "Mirror");
        assert!(graph.svg().is_err());
    }
}
