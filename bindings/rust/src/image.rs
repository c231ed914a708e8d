//! 8-bit RGB images, PNG and its text entries.

use std::path::Path;

use crate::border::{self, buffer, c_path, c_text, product, Handle};
use crate::error::Result;
use crate::sys;

/// An 8-bit RGB image with text entries.
///
/// ```
/// use mixgrpo::Image;
///
/// let mut image = Image::new(&[255, 0, 0, 0, 0, 255], 2, 1)?; // a red pixel and a blue one
/// image.set_texts(&[("prompt", "a red pixel")])?;
/// let again = Image::decode(&image.encode()?)?;
/// assert_eq!(again.pixels()?, image.pixels()?);
/// assert_eq!(again.texts()?, [("prompt".to_string(), "a red pixel".to_string())]);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Debug)]
pub struct Image {
    handle: Handle<sys::mixgrpo_image>,
}

/// The layout of a grid of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Images in a row.
    pub columns: i32,
    /// White pixels between neighbours, 0…65535.
    pub gap: i32,
    /// Each pixel becomes a square of scale² pixels, 1…65535.
    pub scale: i32,
}

impl Image {
    /// Copies pixels (height, width, 3) in. Sides 1…65535, at most 2²⁶ pixels.
    pub fn new(pixels: &[u8], width: i32, height: i32) -> Result<Self> {
        let (bytes, count) = (pixels.as_ptr(), pixels.len());
        // SAFETY: all pointers are valid during the call.
        Self::create(|out| unsafe { sys::mixgrpo_image_create(bytes, count, width, height, out) })
    }

    /// Puts `image_count` images of one size, (B, height, width, 3), into a grid, row by row.
    pub fn grid(pixels: &[u8], image_count: usize, width: i32, height: i32, grid: Grid) -> Result<Self> {
        let (bytes, count, Grid { columns, gap, scale }) = (pixels.as_ptr(), pixels.len(), grid);
        // SAFETY: all pointers are valid during the call.
        Self::create(|out| unsafe {
            sys::mixgrpo_image_create_grid(bytes, count, image_count, width, height, columns, gap, scale, out)
        })
    }

    /// Reads a PNG with its text entries: grey and palettes become RGB, 16 bits become 8, transparency is laid on white.
    ///
    /// # Errors
    /// `InvalidFormat` when it is not a complete and valid PNG, or has more than 2²⁶ pixels.
    pub fn decode(png: &[u8]) -> Result<Self> {
        let (bytes, size) = (png.as_ptr(), png.len());
        // SAFETY: all pointers are valid during the call.
        Self::create(|out| unsafe { sys::mixgrpo_image_decode(bytes, size, out) })
    }

    /// Reads a PNG file as [`decode`](Self::decode) does. Errors also `InputOutput`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        Self::create(|out| unsafe { sys::mixgrpo_image_load(path.as_ptr(), out) })
    }

    pub(crate) fn create(function: impl FnOnce(*mut *mut sys::mixgrpo_image) -> sys::mixgrpo_status) -> Result<Self> {
        Ok(Self { handle: Handle::create(function)? })
    }

    fn info(&self) -> Result<sys::mixgrpo_image_info> {
        let mut info = sys::mixgrpo_image_info::sized();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_image_get_info(self.raw(), &mut info) })?;
        Ok(info)
    }

    /// Width and height, pixels.
    pub fn size(&self) -> Result<(usize, usize)> {
        let info = self.info()?;
        Ok((info.width.unsigned_abs() as usize, info.height.unsigned_abs() as usize))
    }

    /// The pixels (height, width, 3).
    pub fn pixels(&self) -> Result<Vec<u8>> {
        let (width, height) = self.size()?;
        let mut pixels: Vec<u8> = buffer(product(&[width, height, 3]))?;
        let (raw, bytes, capacity) = (self.raw(), pixels.as_mut_ptr(), pixels.len());
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_image_get_pixels(raw, bytes, capacity) })?;
        Ok(pixels)
    }

    /// The text entries, keys and values.
    pub fn texts(&self) -> Result<Vec<(String, String)>> {
        (0..self.info()?.text_count).map(|index| self.text(index)).collect()
    }

    fn text(&self, index: usize) -> Result<(String, String)> {
        let mut raw = sys::mixgrpo_text { key: std::ptr::null(), value: std::ptr::null() };
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_image_get_text(self.raw(), index, &mut raw) })?;
        // SAFETY: the strings are valid until the texts are set, which needs `&mut`.
        Ok(unsafe { (border::text(raw.key), border::text(raw.value)) })
    }

    /// Replaces all text entries, such as prompt, seed and reward; at most 1024. A key: 1…79 printable Latin-1 characters,
    /// without outer or double spaces. A value: at most 4 MiB.
    pub fn set_texts(&mut self, texts: &[(&str, &str)]) -> Result<()> {
        let owned = texts.iter().map(|(key, value)| Ok((c_text(key, "key")?, c_text(value, "value")?)));
        let owned = owned.collect::<Result<Vec<_>>>()?;
        let raw: Vec<_> =
            owned.iter().map(|(key, value)| sys::mixgrpo_text { key: key.as_ptr(), value: value.as_ptr() }).collect();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_image_set_texts(self.raw(), raw.as_ptr(), raw.len()) })
    }

    /// The image as a PNG with its text entries.
    pub fn encode(&self) -> Result<Vec<u8>> {
        // SAFETY: all pointers are valid during the call.
        border::read_all(|png, capacity, size| unsafe { sys::mixgrpo_image_encode(self.raw(), png, capacity, size) })
    }

    /// Writes a PNG file, under a temporary name and then renamed.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_image_save(self.raw(), path.as_ptr()) })
    }

    fn raw(&self) -> *mut sys::mixgrpo_image {
        self.handle.get()
    }
}
