//! A procedural world of captioned pictures, such as "a red circle at the left", and a score for how well a picture shows its
//! prompt.
//!
//! Everything is integer arithmetic on 8-bit RGB up to the last division, so the scores equal those of examples/c/world.c to
//! the last bit.
//!
//! A prompt is a number in 0…89: (colour·3 + shape)·5 + place.

/// Pixels per side.
pub const SIZE: usize = 32;
pub const BYTES: usize = SIZE * SIZE * 3;
pub const PROMPTS: usize = COLOURS.len() * SHAPES.len() * PLACES.len();
/// The colour of the darkest sky.
pub const NIGHT: [i32; 3] = [12, 16, 52];
const DAY: [i32; 3] = [196, 222, 250];

const COLOURS: [(&str, [i32; 3]); 6] = [
    ("a red", [225, 20, 30]),
    ("an orange", [255, 125, 0]),
    ("a yellow", [255, 240, 40]),
    ("a green", [10, 185, 45]),
    ("a blue", [15, 50, 255]),
    ("a purple", [200, 20, 220]),
];
const SHAPES: [&str; 3] = ["circle", "square", "triangle"];
/// With the centre, x and y.
const PLACES: [(&str, [i32; 2]); 5] = [
    ("at the left", [9, 16]),
    ("at the right", [23, 16]),
    ("at the top", [16, 9]),
    ("at the bottom", [16, 23]),
    ("in the middle", [16, 16]),
];

/// Covered sixteenths of each pixel.
type Coverage = [u8; SIZE * SIZE];

fn parts(prompt: usize) -> (usize, usize, usize) {
    (prompt / 15, prompt / 5 % 3, prompt % 5)
}

pub fn caption(prompt: usize) -> String {
    let (colour, shape, place) = parts(prompt);
    format!("{} {} {}", COLOURS[colour].0, SHAPES[shape], PLACES[place].0)
}

/// u, v: distance from the centre in eighths of a pixel, to the right and down.
fn is_inside(shape: usize, radius: i32, u: i32, v: i32) -> bool {
    match shape {
        0 => u * u + v * v <= 64 * radius * radius,
        1 => u.abs() <= 7 * radius && v.abs() <= 7 * radius,
        _ => v <= 7 * radius && 15 * u.abs() <= 8 * (v + 8 * radius),
    }
}

/// Samples 4 × 4 points per pixel.
fn cover(prompt: usize, [dx, dy]: [i32; 2], radius: i32) -> Coverage {
    let (_, shape, place) = parts(prompt);
    let (left, top) = (PLACES[place].1[0] + dx - radius, PLACES[place].1[1] + dy - radius);
    let mut coverage = [0; SIZE * SIZE];
    for (y, x) in (0..2 * radius).flat_map(|y| (0..2 * radius).map(move |x| (y, x))) {
        let covered = (0..16).filter(|sample| {
            let (u, v) = (8 * (x - radius) + 2 * (sample % 4) + 1, 8 * (y - radius) + 2 * (sample / 4) + 1);
            is_inside(shape, radius, u, v)
        });
        coverage[(top + y) as usize * SIZE + (left + x) as usize] = covered.count() as u8;
    }
    coverage
}

fn paint(colour: usize, sky: i32, coverage: &Coverage, rgb: &mut [u8; BYTES]) {
    for channel in 0..3 {
        let back = (NIGHT[channel] * (255 - sky) + DAY[channel] * sky + 127) / 255;
        for (pixel, covered) in rgb.chunks_exact_mut(3).zip(coverage) {
            let covered = i32::from(*covered);
            pixel[channel] = ((back * (16 - covered) + COLOURS[colour].1[channel] * covered + 8) >> 4) as u8;
        }
    }
}

/// The sky level nearest to the mean of the free pixels: the mean projected on the line from night to day.
fn nearest_sky(rgb: &[u8], coverage: &Coverage) -> i32 {
    let (mut count, mut sum) = (0, [0; 3]);
    for (pixel, _) in rgb.chunks_exact(3).zip(coverage).filter(|(_, covered)| **covered == 0) {
        count += 1;
        (0..3).for_each(|channel| sum[channel] += i64::from(pixel[channel]));
    }
    let (mut along, mut whole) = (0, 0);
    for channel in 0..3 {
        let (night, direction) = (i64::from(NIGHT[channel]), i64::from(DAY[channel] - NIGHT[channel]));
        along += 255 * (sum[channel] - count * night) * direction;
        whole += count * direction * direction;
    }
    if along <= 0 {
        return 0;
    }
    ((2 * along + whole) / (2 * whole)).min(255) as i32
}

/// The sum of squared differences to the nearest render of the prompt, whatever its offset, size and sky.
fn smallest_error(rgb: &[u8], prompt: usize) -> i64 {
    let offsets = || -2..=2;
    let mut candidate = [0; BYTES];
    let mut smallest = i64::MAX;
    for radius in 5..=7 {
        for offset in offsets().flat_map(|dy| offsets().map(move |dx| [dx, dy])) {
            let coverage = cover(prompt, offset, radius);
            paint(parts(prompt).0, nearest_sky(rgb, &coverage), &coverage, &mut candidate);
            let differences = rgb.iter().zip(&candidate).map(|(a, b)| i32::from(*a) - i32::from(*b));
            smallest = smallest.min(differences.map(|difference| i64::from(difference * difference)).sum());
        }
    }
    smallest
}

/// How well a picture shows its prompt, in (0, 1]: exp(−12·MSE) to the nearest render, pixels in [−1, 1].
pub fn prompt_match(rgb: &[u8], prompt: usize) -> f64 {
    // A difference of 8-bit values is 2/255 of that on [-1, 1].
    let mean = (4 * smallest_error(rgb, prompt)) as f64 / (BYTES as f64 * 255.0 * 255.0);
    (-12.0 * mean).exp()
}
