//! Stateless steps and losses, noise, pixels, images.

use std::ffi::c_char;

use super::*;

opaque!(mixgrpo_image);
c_struct!(mixgrpo_image_info { struct_size: u32, width: i32, height: i32, text_count: i32 });
c_struct!(mixgrpo_text {
    key: *const c_char,
    value: *const c_char,
});

extern "C" {
    pub fn mixgrpo_time_grid(
        steps: i32, shift: f64, image_tokens: i32, out_sigmas: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_stochastic_step(
        dynamics: mixgrpo_dynamics, noise_level: f64, sigma: f64, next_sigma: f64, out_step: *mut mixgrpo_step,
    ) -> mixgrpo_status;
    pub fn mixgrpo_deterministic_step(
        solver: mixgrpo_solver, sigmas: *const f64, sigma_count: usize, index: usize, out_step: *mut mixgrpo_step,
    ) -> mixgrpo_status;
    pub fn mixgrpo_step_log_probability(
        step: *const mixgrpo_step, form: mixgrpo_log_probability, latents: *const f32, velocity: *const f32,
        next_latents: *const f32, count: usize, latent_size: usize, out_log_probabilities: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_policy_loss(
        config: *const mixgrpo_learning_config, step: *const mixgrpo_step, form: mixgrpo_log_probability,
        latents: *const f32, velocity: *const f32, next_latents: *const f32, reference_velocity: *const f32,
        old_log_probabilities: *const f64, advantages: *const f64, count: usize, latent_size: usize,
        out_loss: *mut f64, out_ratios: *mut f64, ratios_capacity: usize, out_d_velocity: *mut f32,
        d_velocity_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_normal_noise(
        seed: u64, stream: u64, index: u64, out_values: *mut f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_pixels_decode(
        latents: *const f32, latent_count: usize, image_count: i32, height: i32, width: i32, patch: i32,
        out_pixels: *mut u8, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_pixels_encode(
        pixels: *const u8, pixel_count: usize, image_count: i32, height: i32, width: i32, patch: i32,
        out_latents: *mut f32, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_create(
        pixels: *const u8, count: usize, width: i32, height: i32, out_image: *mut *mut mixgrpo_image,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_create_grid(
        pixels: *const u8, count: usize, image_count: i32, width: i32, height: i32, columns: i32, gap: i32, scale: i32,
        out_image: *mut *mut mixgrpo_image,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_decode(png: *const u8, size: usize, out_image: *mut *mut mixgrpo_image) -> mixgrpo_status;
    pub fn mixgrpo_image_load(path: *const c_char, out_image: *mut *mut mixgrpo_image) -> mixgrpo_status;
    pub fn mixgrpo_image_destroy(image: *mut mixgrpo_image);
    pub fn mixgrpo_image_get_info(image: *const mixgrpo_image, out_info: *mut mixgrpo_image_info) -> mixgrpo_status;
    pub fn mixgrpo_image_get_pixels(
        image: *const mixgrpo_image, out_pixels: *mut u8, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_get_text(
        image: *const mixgrpo_image, index: usize, out_text: *mut mixgrpo_text,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_set_texts(
        image: *mut mixgrpo_image, texts: *const mixgrpo_text, text_count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_encode(
        image: *const mixgrpo_image, out_png: *mut u8, capacity: usize, out_size: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_save(image: *const mixgrpo_image, path: *const c_char) -> mixgrpo_status;
}
