//! Bytes of pixels and tokens.

use crate::border::{self, buffer, product};
use crate::error::Result;
use crate::sys;

/// Turns samples into pixels and back.
///
/// Pixels are bytes, (B, height, width, 3): rows from the top, red, green, blue. A token is one square patch of patch²
/// pixels, its channels in the order (row, column, colour): C = 3·patch², N = (height/patch)·(width/patch). A byte u is the
/// value u/127.5 − 1; a value is clipped to [−1, 1] and rounded to the nearest byte, so bytes survive the way there and
/// back. Height and width: multiples of `patch` (at least 1), 1…65535, at most 2²⁶ pixels.
///
/// ```
/// let codec = mixgrpo::PixelCodec::new(2, 2, 1);
/// let bytes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 254, 255];
/// assert_eq!(codec.decode(&codec.encode(&bytes)?)?, bytes);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelCodec {
    /// Height of an image, pixels.
    pub height: i32,
    /// Width of an image, pixels.
    pub width: i32,
    /// Pixels along the side of a token.
    pub patch: i32,
}

impl PixelCodec {
    /// A codec for images of one size.
    pub fn new(height: i32, width: i32, patch: i32) -> Self {
        Self { height, width, patch }
    }

    /// Bytes of one image, and values of one sample: height·width·3.
    pub fn image_size(&self) -> usize {
        let size = |side: i32| usize::try_from(side).unwrap_or(0);
        product(&[size(self.height), size(self.width), 3])
    }

    /// Samples (B, N, C) as pixels (B, height, width, 3).
    ///
    /// # Errors
    /// `NotFinite` for a NaN or infinite value.
    pub fn decode(&self, samples: &[f32]) -> Result<Vec<u8>> {
        let mut pixels = buffer(samples.len())?;
        let images = self.images(samples.len());
        let (values, size, out, capacity) = (samples.as_ptr(), samples.len(), pixels.as_mut_ptr(), pixels.len());
        let &Self { height, width, patch } = self;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            sys::mixgrpo_pixels_decode(values, size, images, height, width, patch, out, capacity)
        })?;
        Ok(pixels)
    }

    /// Pixels (B, height, width, 3) as samples (B, N, C).
    pub fn encode(&self, pixels: &[u8]) -> Result<Vec<f32>> {
        let mut samples = buffer(pixels.len())?;
        let images = self.images(pixels.len());
        let (values, size, out, capacity) = (pixels.as_ptr(), pixels.len(), samples.as_mut_ptr(), samples.len());
        let &Self { height, width, patch } = self;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe {
            sys::mixgrpo_pixels_encode(values, size, images, height, width, patch, out, capacity)
        })?;
        Ok(samples)
    }

    /// B. The library refuses a number of values that no B fits.
    fn images(&self, values: usize) -> usize {
        values / self.image_size().max(1)
    }
}
