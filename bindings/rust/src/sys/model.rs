//! The built-in model, prompts, evaluator.

use std::ffi::c_char;

use super::*;

opaque!(mixgrpo_model);
c_struct!(mixgrpo_model_config {
    struct_size: u32,
    in_channels: i32,
    out_channels: i32,
    num_layers: i32,
    num_single_layers: i32,
    attention_head_dim: i32,
    num_attention_heads: i32,
    joint_attention_dim: i32,
    pooled_projection_dim: i32,
    guidance_embeds: i32,
    axes_dims_rope: [i32; 3],
    reserved: i32,
});
c_struct!(mixgrpo_parameter_info {
    struct_size: u32,
    rank: i32,
    shape: [i64; 2],
    offset: u64,
    count: u64,
    name: *const c_char,
});
pub type mixgrpo_storage = i32;
pub const MIXGRPO_STORAGE_F32: mixgrpo_storage = 0;
pub const MIXGRPO_STORAGE_BF16: mixgrpo_storage = 1;

opaque!(mixgrpo_prompts);

opaque!(mixgrpo_evaluator);
c_struct!(mixgrpo_evaluator_config {
    struct_size: u32,
    height_tokens: i32,
    width_tokens: i32,
    text_length: i32,
    max_batch: i32,
    recompute_activations: i32,
    guidance: f64,
    max_bytes: u64,
});

extern "C" {
    pub fn mixgrpo_model_config_init(out_config: *mut mixgrpo_model_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_model_config_load(folder: *const c_char, out_config: *mut mixgrpo_model_config) -> mixgrpo_status;
    pub fn mixgrpo_model_create(
        context: *const mixgrpo_context, config: *const mixgrpo_model_config, seed: u64,
        out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_load(
        context: *const mixgrpo_context, folder: *const c_char, out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_save(
        model: *const mixgrpo_model, folder: *const c_char, storage: mixgrpo_storage,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_copy(model: *const mixgrpo_model, out_copy: *mut *mut mixgrpo_model) -> mixgrpo_status;
    pub fn mixgrpo_model_destroy(model: *mut mixgrpo_model);
    pub fn mixgrpo_model_get_config(
        model: *const mixgrpo_model, out_config: *mut mixgrpo_model_config,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_size(
        model: *const mixgrpo_model, out_tensors: *mut usize, out_values: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_parameter(
        model: *const mixgrpo_model, index: usize, out_info: *mut mixgrpo_parameter_info,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_find_parameter(
        model: *const mixgrpo_model, name: *const c_char, out_index: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_weights(
        model: *const mixgrpo_model, offset: usize, out_values: *mut f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_set_weights(
        model: *mut mixgrpo_model, offset: usize, values: *const f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_gradients(
        model: *const mixgrpo_model, offset: usize, out_values: *mut f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_set_gradients(
        model: *mut mixgrpo_model, offset: usize, values: *const f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_zero_gradients(model: *mut mixgrpo_model) -> mixgrpo_status;
    pub fn mixgrpo_prompts_create(
        context: *const mixgrpo_context, text: *const f32, text_count: usize, pooled: *const f32, pooled_count: usize,
        prompt_count: i32, text_length: i32, text_width: i32, pooled_width: i32,
        out_prompts: *mut *mut mixgrpo_prompts,
    ) -> mixgrpo_status;
    pub fn mixgrpo_prompts_create_hashed_words(
        context: *const mixgrpo_context, prompts: *const *const c_char, prompt_count: i32, text_length: i32,
        text_width: i32, pooled_width: i32, out_prompts: *mut *mut mixgrpo_prompts,
    ) -> mixgrpo_status;
    pub fn mixgrpo_prompts_destroy(prompts: *mut mixgrpo_prompts);
    pub fn mixgrpo_prompts_count(prompts: *const mixgrpo_prompts) -> i32;
    pub fn mixgrpo_hashed_words_encode(
        prompts: *const *const c_char, prompt_count: i32, text_length: i32, text_width: i32, pooled_width: i32,
        out_text: *mut f32, text_capacity: usize, out_pooled: *mut f32, pooled_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_config_init(
        out_config: *mut mixgrpo_evaluator_config, struct_size: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_create(
        model: *mut mixgrpo_model, config: *const mixgrpo_evaluator_config, image_ids: *const f32,
        image_id_count: usize, out_evaluator: *mut *mut mixgrpo_evaluator,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_destroy(evaluator: *mut mixgrpo_evaluator);
    pub fn mixgrpo_evaluator_latent_size(evaluator: *const mixgrpo_evaluator) -> usize;
    pub fn mixgrpo_evaluator_velocity(
        evaluator: *mut mixgrpo_evaluator, prompts: *const mixgrpo_prompts, latents: *const f32, sigmas: *const f32,
        prompt_index: *const i32, count: usize, keep_activations: i32, out_velocity: *mut f32,
        velocity_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_backward(
        evaluator: *mut mixgrpo_evaluator, d_velocity: *const f32, count: usize, out_d_latents: *mut f32,
        d_latents_capacity: usize,
    ) -> mixgrpo_status;
}
