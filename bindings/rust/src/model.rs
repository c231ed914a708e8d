//! The built-in flow transformer.

use std::path::Path;
use std::sync::Arc;

use crate::border::{self, buffer, c_path, c_text, Handle};
use crate::configurations::ModelConfig;
use crate::context::Context;
use crate::enums::Storage;
use crate::error::Result;
use crate::guarded::{Frozen, Guarded};
use crate::mirror::{Mirror, MirrorStruct};
use crate::sys;

impl ModelConfig {
    /// Reads `folder`/config.json alone.
    ///
    /// # Errors
    /// `InputOutput`; `InvalidFormat`; `Unsupported` for another model class or a patch size other than 1.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = c_path(folder.as_ref())?;
        // SAFETY: path and output are valid during the call.
        Self::read(|raw| unsafe { sys::mixgrpo_model_config_load(folder.as_ptr(), raw) })
    }
}

/// One weight tensor of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// The checkpoint's name.
    pub name: String,
    /// As in the checkpoint: (out, in) of a matrix, one dimension of a vector.
    pub shape: Vec<usize>,
    /// Of its first value in the flat vector of all weights.
    pub offset: usize,
    /// Number of values.
    pub count: usize,
}

/// The FLUX transformer (`FluxTransformer2DModel` in diffusers), float32, with gradients. Weight names, shapes and files
/// are those of the diffusers checkpoint.
///
/// Evaluators and trainers share their model: a call that changes it while another thread uses it fails with
/// `InvalidState`.
///
/// ```
/// use mixgrpo::{Context, Model, ModelConfig};
///
/// let sizes = ModelConfig { num_layers: 1, num_single_layers: 1, ..ModelConfig::default() };
/// let mut model = Model::new(&Context::new(1)?, &sizes, 7)?;
/// let bias = model.find_parameter("proj_out.bias")?;
/// let bias = model.parameter(bias)?;
/// model.set_weights(bias.offset, &vec![0.5; bias.count])?;
/// assert_eq!(model.weights()?[bias.offset], 0.5);
/// # Ok::<(), mixgrpo::Error>(())
/// ```
#[derive(Debug)]
pub struct Model {
    handle: Handle<sys::mixgrpo_model>,
    pub(crate) shared: Arc<ModelShared>,
}

/// What a model shares with its evaluators and trainers.
#[derive(Debug)]
pub(crate) struct ModelShared {
    pub(crate) weights: Guarded,
    pub(crate) context: Context,
    /// The model that this one adapts.
    base: Option<Frozen<ModelShared>>,
}

impl AsRef<Guarded> for ModelShared {
    fn as_ref(&self) -> &Guarded {
        &self.weights
    }
}

impl Model {
    /// Creates a model with random weights, which depend only on `seed` and the sizes. Modulations and the output layer are
    /// 0, so every block starts as the identity.
    pub fn new(context: &Context, config: &ModelConfig, seed: u64) -> Result<Self> {
        let config = config.to_raw();
        // SAFETY: all pointers are valid during the call.
        let create = |out: *mut *mut _| unsafe { sys::mixgrpo_model_create(context.raw(), &config, seed, out) };
        Ok(Self::adopt(Handle::create(create)?, context))
    }

    /// Loads a diffusers folder: config.json with diffusion_pytorch_model.safetensors, or with its shards and their index;
    /// F32, F16 and BF16 values.
    ///
    /// # Errors
    /// `InputOutput`; `InvalidFormat` for a truncated or contradictory file, a missing or unexpected tensor, a shape that does
    /// not follow from the configuration; `NotFinite` for a NaN or infinite weight; `Unsupported` for another model class.
    pub fn load(context: &Context, folder: impl AsRef<Path>) -> Result<Self> {
        let folder = c_path(folder.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        let load = |out: *mut *mut _| unsafe { sys::mixgrpo_model_load(context.raw(), folder.as_ptr(), out) };
        Ok(Self::adopt(Handle::create(load)?, context))
    }

    /// Loads a diffusers folder as a frozen model, see `freeze`, without all float32 weights in memory at once.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn load_frozen(context: &Context, folder: impl AsRef<Path>) -> Result<Self> {
        let folder = c_path(folder.as_ref())?;
        // SAFETY: all pointers are valid during the call.
        let load = |out: *mut *mut _| unsafe { sys::mixgrpo_model_load_frozen(context.raw(), folder.as_ptr(), out) };
        Ok(Self::adopt(Handle::create(load)?, context))
    }

    /// A copy whose weights never change and take about half the memory: those of the blocks' layers are rounded to bfloat16.
    /// It can be evaluated, adapted, copied and saved; its `weight_count` is 0, so nothing trains it.
    ///
    /// # Errors
    /// `NotFinite` for a weight beyond bfloat16's largest value; `OutOfMemory`.
    pub fn freeze(&self) -> Result<Self> {
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_model_freeze(self.raw(), out) })?;
        Ok(Self::adopt(handle, self.context()))
    }

    pub(crate) fn adopt(handle: Handle<sys::mixgrpo_model>, context: &Context) -> Self {
        Self::adopt_on(handle, context, None)
    }

    pub(crate) fn adopt_on(
        handle: Handle<sys::mixgrpo_model>, context: &Context, base: Option<Frozen<ModelShared>>,
    ) -> Self {
        let shared = ModelShared { weights: Guarded::new("model"), context: context.clone(), base };
        Self { handle, shared: Arc::new(shared) }
    }

    /// Writes a diffusers folder, created if needed (its parent must exist). Each file is written under a temporary name and
    /// renamed.
    ///
    /// # Errors
    /// `InputOutput`.
    pub fn save(&self, folder: impl AsRef<Path>, storage: Storage) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_save(self.raw(), folder.as_ptr(), storage.to_raw()) })
    }

    /// Makes an independent copy of the weights, for a frozen reference. Gradients are not copied.
    pub fn copy(&self) -> Result<Self> {
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        let handle = Handle::create(|out| unsafe { sys::mixgrpo_model_copy(self.raw(), out) })?;
        let base = self.shared.base.as_ref().map(Frozen::again).transpose()?;
        Ok(Self::adopt_on(handle, self.context(), base))
    }

    /// The model's context.
    pub fn context(&self) -> &Context {
        &self.shared.context
    }

    /// The model's sizes.
    pub fn config(&self) -> Result<ModelConfig> {
        // SAFETY: all pointers are valid during the call.
        ModelConfig::read(|raw| unsafe { sys::mixgrpo_model_get_config(self.raw(), raw) })
    }

    /// The number of weight tensors.
    pub fn parameter_count(&self) -> Result<usize> {
        Ok(self.counts()?.0)
    }

    /// The number of weights.
    pub fn weight_count(&self) -> Result<usize> {
        Ok(self.counts()?.1)
    }

    fn counts(&self) -> Result<(usize, usize)> {
        let (mut tensors, mut values) = (0, 0);
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_get_size(self.raw(), &mut tensors, &mut values) })?;
        Ok((tensors, values))
    }

    /// Describes weight tensor `index`, in the order of the flat vector.
    pub fn parameter(&self, index: usize) -> Result<ParameterInfo> {
        let mut raw = sys::mixgrpo_parameter_info::sized();
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_get_parameter(self.raw(), index, &mut raw) })?;
        let rank = usize::try_from(raw.rank).unwrap_or(0);
        Ok(ParameterInfo {
            // SAFETY: the name lives as long as the model.
            name: unsafe { border::text(raw.name) },
            shape: raw.shape.iter().take(rank).copied().collect(),
            offset: raw.offset,
            count: raw.count,
        })
    }

    /// Describes all weight tensors.
    pub fn parameters(&self) -> Result<Vec<ParameterInfo>> {
        (0..self.parameter_count()?).map(|index| self.parameter(index)).collect()
    }

    /// The index of the weight tensor with this checkpoint name.
    ///
    /// # Errors
    /// `InvalidArgument` when there is none.
    pub fn find_parameter(&self, name: &str) -> Result<usize> {
        let name = c_text(name, "name")?;
        let mut index = 0;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_find_parameter(self.raw(), name.as_ptr(), &mut index) })?;
        Ok(index)
    }

    /// All weights, in one flat vector.
    pub fn weights(&self) -> Result<Vec<f32>> {
        let mut values = buffer(self.weight_count()?)?;
        self.weights_into(0, &mut values)?;
        Ok(values)
    }

    /// All gradients. They are 0 until a backward adds to them.
    pub fn gradients(&self) -> Result<Vec<f32>> {
        let mut values = buffer(self.weight_count()?)?;
        self.gradients_into(0, &mut values)?;
        Ok(values)
    }

    /// Copies weights out, from `offset` of the flat vector on.
    pub fn weights_into(&self, offset: usize, out: &mut [f32]) -> Result<()> {
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_get_weights(self.raw(), offset, out.as_mut_ptr(), out.len()) })
    }

    /// Copies weights in, from `offset` of the flat vector on.
    ///
    /// # Errors
    /// `InvalidArgument` when the range ends beyond the vector or a value is not finite: nothing is changed.
    pub fn set_weights(&mut self, offset: usize, values: &[f32]) -> Result<()> {
        let _changing = self.shared.weights.change()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_set_weights(self.raw(), offset, values.as_ptr(), values.len()) })
    }

    /// Copies gradients out, from `offset` of the flat vector on.
    pub fn gradients_into(&self, offset: usize, out: &mut [f32]) -> Result<()> {
        let _reading = self.shared.weights.read()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_get_gradients(self.raw(), offset, out.as_mut_ptr(), out.len()) })
    }

    /// Copies gradients in, from `offset` of the flat vector on. Errors as in [`set_weights`](Self::set_weights).
    pub fn set_gradients(&mut self, offset: usize, values: &[f32]) -> Result<()> {
        let _changing = self.shared.weights.change()?;
        // SAFETY: all pointers are valid during the call.
        border::call(|| unsafe { sys::mixgrpo_model_set_gradients(self.raw(), offset, values.as_ptr(), values.len()) })
    }

    /// Sets all gradients to 0.
    pub fn zero_gradients(&mut self) -> Result<()> {
        let _changing = self.shared.weights.change()?;
        // SAFETY: the handle is alive.
        border::call(|| unsafe { sys::mixgrpo_model_zero_gradients(self.raw()) })
    }

    pub(crate) fn raw(&self) -> *mut sys::mixgrpo_model {
        self.handle.get()
    }
}
