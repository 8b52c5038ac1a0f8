//! A minute as a line: the points of an inline SVG.

/// The width and height of the picture, in its own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

/// A line of samples, the newest at the right edge.
pub struct Spark {
    /// `x,y` of each, for a `polyline`.
    pub points: String,
    /// The same down to the ground, for a `polygon`.
    pub area: String,
    /// The newest, as text.
    pub now: String,
    /// The largest, as text.
    pub most: String,
}

impl Spark {
    /// Of samples, of which `most` fill the picture.
    pub fn new(samples: &[f64], most: usize) -> Self {
        let largest = samples.iter().copied().fold(0.0, f64::max);
        let step = WIDTH / f64::from(u32::try_from(most.max(2)).unwrap_or(u32::MAX) - 1);
        let mut points: Vec<_> = samples
            .iter()
            .rev()
            .zip(0_u32..)
            .map(|(sample, place)| {
                let height = if largest > 0.0 { sample / largest } else { 0.0 };
                let (x, y) = (
                    WIDTH - step * f64::from(place),
                    1.0 + (HEIGHT - 2.0) * (1.0 - height),
                );
                format!("{x:.1},{y:.1}")
            })
            .collect();
        points.reverse();
        let first = points.first().and_then(|it| it.split(',').next());
        let ground = format!("{WIDTH},{HEIGHT} {},{HEIGHT}", first.unwrap_or("120"));
        let points = points.join(" ");
        Self {
            area: format!("{points} {ground}"),
            points,
            now: rate(samples.last().copied().unwrap_or(0.0)),
            most: rate(largest),
        }
    }
}

/// Values per second, as people read them; the fewest of a minute are not nothing.
pub fn rate(rate: f64) -> String {
    match rate {
        0.0 => "0".into(),
        ..1.0 => format!("{rate:.2}"),
        ..10.0 => format!("{rate:.1}"),
        _ => format!("{rate:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sample_is_at_the_right_and_the_largest_at_the_top() {
        let spark = Spark::new(&[0.0, 40.0, 2.5], 61);
        assert_eq!(spark.points, "116.0,27.0 118.0,1.0 120.0,25.4");
        assert_eq!((spark.now.as_str(), spark.most.as_str()), ("2.5", "40"));
        assert_eq!(Spark::new(&[0.0], 61).points, "120.0,27.0");
        assert_eq!(Spark::new(&[], 61).points, "");
    }
}
