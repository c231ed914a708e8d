//! Low-rank adapters of a model.

use std::path::Path;

use crate::border::{self, c_path, c_text, Handle};
use crate::configurations::LoraConfig;
use crate::enums::AdapterFormat;
use crate::error::Result;
use crate::guarded::Frozen;
use crate::mirror::{Mirror, MirrorStruct};
use crate::model::Model;
use crate::sys;

impl Model {
    /// Creates a model that trains a new low-rank adapter (LoRA) of this one and nothing else. Its weights, gradients,
    /// optimizers and checkpoints are the adapter's; `save` merges the adapter into what it writes. `targets`: the linear
    /// layers to adapt, each by its name, by the end of its name after a dot, or by a pattern with `*`; empty for all layers
    /// of the blocks except modulations.
    ///
    /// As long as it exists, calls that change this model fail with `InvalidState`.
    ///
    /// # Errors
    /// `InvalidArgument` for a rank beyond a layer's size, a target that no layer matches, or a base with an adapter.
    ///
    /// ```
    /// use mixgrpo::{Context, LoraConfig, Model, ModelConfig};
    ///
    /// let base = Model::new(&Context::new(1)?, &ModelConfig::default(), 7)?;
    /// let adapted = base.adapt(&LoraConfig { rank: 4, ..LoraConfig::default() }, &["to_q", "to_v"])?;
    /// assert!(adapted.weight_count()? < base.weight_count()? / 10);
    /// # Ok::<(), mixgrpo::Error>(())
    /// ```
    pub fn adapt(&self, config: &LoraConfig, targets: &[&str]) -> Result<Self> {
        let base = Frozen::new(&self.shared)?;
        let config = config.to_raw();
        let texts = targets.iter().map(|target| c_text(target, "targets")).collect::<Result<Vec<_>>>()?;
        let pointers: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        let (first, count) = (pointers.as_ptr(), pointers.len());
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_model_adapt(self.raw(), &config, first, count, out) })?;
        Ok(Self::adopt_on(handle, self.context(), Some(base)))
    }

    /// This model with the adapter in a file or folder of PEFT, diffusers or kohya. See `adapt`.
    ///
    /// # Errors
    /// `InputOutput`; `InvalidFormat` naming the tensor for an adapter of another model; `NotFinite`; `Unsupported` for other
    /// kinds of adapters.
    pub fn load_adapter(&self, path: impl AsRef<Path>) -> Result<Self> {
        let base = Frozen::new(&self.shared)?;
        let path = c_path(path.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_model_load_adapter(self.raw(), path.as_ptr(), out) })?;
        Ok(Self::adopt_on(handle, self.context(), Some(base)))
    }

    /// Writes the adapter alone: a folder, whose parent must exist, or for `Kohya` a file.
    ///
    /// # Errors
    /// `InvalidState` for a model without an adapter; `InputOutput`; `NotFinite`.
    pub fn save_adapter(&self, path: impl AsRef<Path>, format: AdapterFormat) -> Result<()> {
        let path = c_path(path.as_ref())?;
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_save_adapter(self.raw(), path.as_ptr(), format.to_raw()) })
    }

    /// A model with the adapter merged into its weights; of a model without an adapter, a copy.
    pub fn merge(&self) -> Result<Self> {
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_model_merge(self.raw(), out) })?;
        Ok(Self::adopt(handle, self.context()))
    }

    /// Multiplies the adapter in evaluations and merges, 0…2; 1 at first. It is not saved.
    ///
    /// # Errors
    /// `InvalidState` for a model without an adapter.
    pub fn set_adapter_strength(&mut self, strength: f64) -> Result<()> {
        let _changing = self.shared.weights.change()?;
        // SAFETY: the handle is valid.
        border::call(|| unsafe { sys::mixgrpo_model_set_adapter_strength(self.raw(), strength) })
    }
}
