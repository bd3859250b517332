// WebP by libwebp: a still picture, or the first frame of an animation on its canvas.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "image/formats.h"

namespace clipnext::image {

namespace {

struct Deleter {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

/// Decodes one frame to its place on the canvas; false if it is broken.
bool decode_frame(const WebPIterator& frame, Image& canvas) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) return false;
  const auto pixel = static_cast<size_t>(channels(canvas.mode));
  const size_t stride = pixel * static_cast<size_t>(canvas.width);
  const size_t offset =
      static_cast<size_t>(frame.y_offset) * stride + static_cast<size_t>(frame.x_offset) * pixel;
  config.output.colorspace = pixel == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = canvas.data.data() + offset;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = canvas.data.size() - offset;
  return WebPDecode(frame.fragment.bytes, frame.fragment.size, &config) == VP8_STATUS_OK;
}

}  // namespace

Image decode_webp(const Source& source) {
  const WebPData data{source.bytes.data(), source.bytes.size()};
  const std::unique_ptr<WebPDemuxer, Deleter> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) source.refuse("broken or truncated WebP");
  const int64_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const int64_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  source.check_size(width, height);
  const bool alpha = (WebPDemuxGetI(demuxer.get(), WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG) != 0;

  WebPIterator frame;
  if (WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) source.refuse("WebP without a frame");
  Image canvas = make_image(alpha ? Mode::kRgba : Mode::kRgb, width, height);
  const bool inside = frame.x_offset >= 0 && frame.y_offset >= 0 && frame.width > 0 &&
                      frame.height > 0 && int64_t{frame.x_offset} + frame.width <= width &&
                      int64_t{frame.y_offset} + frame.height <= height;
  const bool decoded = inside && decode_frame(frame, canvas);
  WebPDemuxReleaseIterator(&frame);
  if (!decoded) source.refuse("broken WebP frame");
  return canvas;
}

}  // namespace clipnext::image
