import CMixGRPO
import Glibc
import MixBasics
import MixStorage

final class ImageObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "image" }
  let image: AnnotatedImage

  init(_ image: RGBImage, texts: [PNGText] = []) throws(MixGRPOError) { self.image = try AnnotatedImage(image, texts: texts) }
}

// MARK: - Life

@_cdecl("mixgrpo_image_create") @implementation
public func mixgrpo_image_create(
  _ pixels: UnsafePointer<UInt8>?, _ count: Int, _ width: Int32, _ height: Int32,
  _ out_image: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_image, "out_image") {
    let bytes = try PixelCodec(height: Int(height), width: Int(width), patch: 1).valuesPerImage
    let pixels = try input(pixels, count: count, expected: bytes, "pixels")
    try Memory.require(bytes: bytes)
    return try ImageObject(RGBImage(width: Int(width), height: Int(height), pixels: Array(pixels)))
  }
}

@_cdecl("mixgrpo_image_create_grid") @implementation
public func mixgrpo_image_create_grid(
  _ pixels: UnsafePointer<UInt8>?, _ count: Int, _ image_count: Int, _ width: Int32, _ height: Int32,
  _ columns: Int32, _ gap: Int32, _ scale: Int32, _ out_image: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_image, "out_image") {
    try requireRange(image_count, 1...1 << 24, "image_count")
    let bytes = try PixelCodec(height: Int(height), width: Int(width), patch: 1).valuesPerImage
    let total = try checkedProduct(image_count, bytes, field: "image_count")
    let pixels = try input(pixels, count: count, expected: total, "pixels")
    try Memory.require(image_count, of: bytes + 128)
    let images = try (0..<image_count).map { index in
      let part = pixels[index * bytes..<(index + 1) * bytes]
      return try RGBImage(width: Int(width), height: Int(height), pixels: Array(part))
    }
    return try ImageObject(
      ImageGrid.compose(images, columns: Int(columns), gap: Int(gap), scale: Int(scale)))
  }
}

@_cdecl("mixgrpo_image_decode") @implementation
public func mixgrpo_image_decode(
  _ png: UnsafePointer<UInt8>?, _ size: Int, _ out_image: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_image, "out_image") {
    try ImageObject(png: UnsafeRawBufferPointer(input(png, count: size, "png")))
  }
}

@_cdecl("mixgrpo_image_load") @implementation
public func mixgrpo_image_load(
  _ path: UnsafePointer<CChar>?, _ out_image: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_image, "out_image") {
    let path = try MixGRPOC.path(path, "path")
    let file = try FileAccess.read(path, limit: 1 << 29)
    do throws(MixGRPOError) {
      return try file.withUnsafeBufferPointer { (file) throws(MixGRPOError) in
        try ImageObject(png: UnsafeRawBufferPointer(file))
      }
    } catch {
      throw MixGRPOError(error.code, "\(path): \(error.message)")
    }
  }
}

extension ImageObject {
  fileprivate convenience init(png file: UnsafeRawBufferPointer) throws(MixGRPOError) {
    try self.init(PNG.decode(file), texts: PNG.text(in: file))
  }
}

@_cdecl("mixgrpo_image_destroy") @implementation
public func mixgrpo_image_destroy(_ image: OpaquePointer?) {
  HandleTable.live.remove(image, ImageObject.self)
}

// MARK: - Content

@_cdecl("mixgrpo_image_get_info") @implementation
public func mixgrpo_image_get_info(
  _ image: OpaquePointer?, _ out_info: UnsafeMutablePointer<mixgrpo_image_info>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(image, "image", as: ImageObject.self)
    var info = mixgrpo_image_info()
    info.width = Int32(truncatingIfNeeded: object.image.pixels.width)
    info.height = Int32(truncatingIfNeeded: object.image.pixels.height)
    info.text_count = object.image.texts.count
    try HostStruct(out_info, "out_info").write(info)
  }
}

@_cdecl("mixgrpo_image_get_pixels") @implementation
public func mixgrpo_image_get_pixels(
  _ image: OpaquePointer?, _ out_pixels: UnsafeMutablePointer<UInt8>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let pixels = try resolve(image, "image", as: ImageObject.self).image.pixels.pixels
    try output(out_pixels, capacity: capacity, needed: pixels.count, "out_pixels").copy(pixels)
  }
}

@_cdecl("mixgrpo_image_get_text") @implementation
public func mixgrpo_image_get_text(
  _ image: OpaquePointer?, _ index: Int, _ out_text: UnsafeMutablePointer<mixgrpo_text>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(image, "image", as: ImageObject.self)
    let target = try place(out_text, "out_text")
    try require(
      object.image.texts.indices.contains(index), "index",
      expected: "less than \(object.image.texts.count), the texts of the image",
      got: index)
    let text = object.image.texts[index].cTexts
    target.pointee = mixgrpo_text(key: UnsafePointer(text.key.pointer), value: UnsafePointer(text.value.pointer))
  }
}

@_cdecl("mixgrpo_image_set_texts") @implementation
public func mixgrpo_image_set_texts(
  _ image: OpaquePointer?, _ texts: UnsafePointer<mixgrpo_text>?, _ text_count: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(image, "image", as: ImageObject.self)
    try requireRange(text_count, 0...1_024, "text_count")
    var entries: [PNGText] = []
    for (index, entry) in try input(texts, count: text_count, "texts").enumerated() {
      let key = try text(entry.key, "texts[\(index)].key")
      entries.append(try PNGText(keyword: key, text: try text(entry.value, "texts[\(index)].value")))
    }
    try object.image.set(entries)
  }
}

// MARK: - PNG

@_cdecl("mixgrpo_image_encode") @implementation
public func mixgrpo_image_encode(
  _ image: OpaquePointer?, _ out_png: UnsafeMutablePointer<UInt8>?, _ capacity: Int,
  _ out_size: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(image, "image", as: ImageObject.self)
    let file = try PNG.encode(object.image.pixels, text: object.image.texts.map(\.text))
    try deliver(file, to: out_png, capacity: capacity, size: out_size, "out_png")
  }
}

@_cdecl("mixgrpo_image_save") @implementation
public func mixgrpo_image_save(_ image: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    let object = try resolve(image, "image", as: ImageObject.self)
    try PNG.write(object.image.pixels, text: object.image.texts.map(\.text), to: MixGRPOC.path(path, "path"))
  }
}
