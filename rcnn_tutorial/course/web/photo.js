// A reader's photo as pixels: from a file, or from the camera.

const MOST = 1600; // pixels of the longer side; a larger photo is shrunk, as the detector would shrink it anyway

// The pixels of a photo file, upright and in the colors of the screen: ImageData.
export async function readPhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }); // turned as the camera noted
  } catch {
    throw new Error(`${file.name || "this"} is no photo that this browser can open; use a JPEG, PNG or WebP`);
  }
  const pixels = pixelsOf(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return pixels;
}

// The pixels of what a canvas can draw: ImageData. width, height: of the source.
function pixelsOf(source, width, height) {
  const [wide, high] = fitted(width, height);
  const pen = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "white"; // what is transparent lies on paper
  pen.fillRect(0, 0, wide, high);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, wide, high);
  return pen.getImageData(0, 0, wide, high);
}

// Width and height of a photo, shrunk where its longer side has too many pixels.
export function fitted(width, height, most = MOST) {
  const scale = Math.min(1, most / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, Math.round(side * scale)));
}

// The camera, in a <video>. Browsers lend it to pages from a disk, from this machine, or sent by https, to no others.
export class Camera {
  static get available() {
    return Boolean(globalThis.isSecureContext && navigator.mediaDevices?.getUserMedia);
  }

  constructor(video) {
    this.video = video;
  }

  async open() {
    const video = { facingMode: "environment", width: { ideal: 1280 } };
    this.stream = await navigator.mediaDevices.getUserMedia({ video });
    this.video.srcObject = this.stream;
    try {
      await this.video.play();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  // What it sees now: ImageData.
  take() {
    return pixelsOf(this.video, this.video.videoWidth, this.video.videoHeight);
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = this.stream = null;
  }
}
