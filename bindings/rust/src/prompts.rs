//! Text embeddings for the built-in model.

use crate::border::{self, buffer, c_texts, pointers, product, Handle};
use crate::context::Context;
use crate::error::Result;
use crate::sys;

/// The sizes of text embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextShape {
    /// L, tokens of a prompt.
    pub length: i32,
    /// J, width of a token.
    pub width: i32,
    /// Q, width of the pooled embedding.
    pub pooled_width: i32,
}

/// The text embeddings of all prompts of a run. Elsewhere a prompt is its index in this object. Immutable.
///
/// ```
/// use mixgrpo::{Context, Prompts, TextShape};
///
/// let shape = TextShape { length: 16, width: 64, pooled_width: 64 };
/// let lines = ["a red circle at the left", "a blue square at the top"];
/// let prompts = Prompts::hashed_words(&Context::new(1)?, &lines, shape)?;
/// assert_eq!(prompts.len(), 2);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Debug)]
pub struct Prompts {
    handle: Handle<sys::mixgrpo_prompts>,
    _context: Context,
}

impl Prompts {
    /// Copies embeddings in. `text`: (`prompt_count`, L, J); `pooled`: (`prompt_count`, Q).
    pub fn new(context: &Context, prompt_count: usize, shape: TextShape, text: &[f32], pooled: &[f32]) -> Result<Self> {
        let TextShape { length, width, pooled_width } = shape;
        let (words, word_count, pool, pool_count) = (text.as_ptr(), text.len(), pooled.as_ptr(), pooled.len());
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            let context = context.raw();
            sys::mixgrpo_prompts_create(
                context,
                words,
                word_count,
                pool,
                pool_count,
                prompt_count,
                length,
                width,
                pooled_width,
                out,
            )
        })?;
        Ok(Self { handle, _context: context.clone() })
    }

    /// Encodes prompts as [`hashed_words`] does.
    pub fn hashed_words<S: AsRef<str>>(context: &Context, lines: &[S], shape: TextShape) -> Result<Self> {
        let texts = c_texts(lines, "prompts")?;
        let (lines, number) = (pointers(&texts), texts.len());
        let TextShape { length, width, pooled_width } = shape;
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe {
            let (context, lines) = (context.raw(), lines.as_ptr());
            sys::mixgrpo_prompts_create_hashed_words(context, lines, number, length, width, pooled_width, out)
        })?;
        Ok(Self { handle, _context: context.clone() })
    }

    /// The number of prompts.
    pub fn len(&self) -> usize {
        // SAFETY: the handle is alive.
        unsafe { sys::mixgrpo_prompts_count(self.raw()) }
    }

    /// Whether there are none; never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn raw(&self) -> *const sys::mixgrpo_prompts {
        self.handle.get()
    }
}

/// Text embeddings of hashed words: tokens (prompts, L, J) and pooled (prompts, Q).
///
/// A deterministic stand-in for a text encoder, for examples and tests: each word becomes a fixed pseudo-random vector
/// derived from its letters, plus one for its position; the pooled embedding is the scaled sum of its words. It encodes
/// which words stand where, and no meaning: models trained with a text encoder need that encoder's embeddings.
pub fn hashed_words<S: AsRef<str>>(lines: &[S], shape: TextShape) -> Result<(Vec<f32>, Vec<f32>)> {
    let texts = c_texts(lines, "prompts")?;
    let (lines, number) = (pointers(&texts), texts.len());
    let TextShape { length, width, pooled_width } = shape;
    let size = |value: i32| usize::try_from(value).unwrap_or(0);
    let mut text: Vec<f32> = buffer(product(&[texts.len(), size(length), size(width)]))?;
    let mut pooled: Vec<f32> = buffer(product(&[texts.len(), size(pooled_width)]))?;
    let (words, word_count, pool, pool_count) = (text.as_mut_ptr(), text.len(), pooled.as_mut_ptr(), pooled.len());
    // SAFETY: all pointers are valid during the call.
    border::call(|| unsafe {
        let lines = lines.as_ptr();
        sys::mixgrpo_hashed_words_encode(
            lines,
            number,
            length,
            width,
            pooled_width,
            words,
            word_count,
            pool,
            pool_count,
        )
    })?;
    Ok((text, pooled))
}
