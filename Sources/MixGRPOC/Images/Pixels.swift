import CMixGRPO
import MixBasics
import MixStorage

@_cdecl("mixgrpo_pixels_decode") @implementation
public func mixgrpo_pixels_decode(
  _ latents: UnsafePointer<Float>?, _ latent_count: Int, _ image_count: Int, _ height: Int32, _ width: Int32,
  _ patch: Int32, _ out_pixels: UnsafeMutablePointer<UInt8>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let (codec, values) = try pictures(image_count, height, width, patch)
    let latents = try input(latents, count: latent_count, expected: values, "latents")
    let pixels = try output(out_pixels, capacity: capacity, needed: values, "out_pixels")
    try codec.decode(latents, count: image_count, into: pixels)
  }
}

@_cdecl("mixgrpo_pixels_encode") @implementation
public func mixgrpo_pixels_encode(
  _ pixels: UnsafePointer<UInt8>?, _ pixel_count: Int, _ image_count: Int, _ height: Int32, _ width: Int32,
  _ patch: Int32, _ out_latents: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let (codec, values) = try pictures(image_count, height, width, patch)
    let pixels = try input(pixels, count: pixel_count, expected: values, "pixels")
    let latents = try output(out_latents, capacity: capacity, needed: values, "out_latents")
    try codec.encode(pixels, count: image_count, into: latents)
  }
}

/// The codec for one image, and the number of values of all images.
private func pictures(
  _ count: Int, _ height: Int32, _ width: Int32, _ patch: Int32
) throws(MixGRPOError) -> (codec: PixelCodec, values: Int) {
  try requireRange(count, 1...Int(Int32.max), "image_count")
  let codec = try PixelCodec(height: Int(height), width: Int(width), patch: Int(patch))
  return (codec, try checkedProduct(count, codec.valuesPerImage, field: "image_count"))
}
