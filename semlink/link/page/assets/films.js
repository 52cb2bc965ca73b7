"use strict";
/* Clips decoded frame by frame, so that playing in step is exact.

   await semlink.decodeFilm(film)   {frames: [canvas, ...], by: "webcodecs" or "video", exact: true or false}

   Each frame is decoded once and kept as a canvas; showing a frame is drawing it. Where the browser has WebCodecs, frames
   come out by their number. Elsewhere a video element is set to the middle of each frame, and the time of the frame that
   it then presents is compared where the browser tells it.
*/
semlink.decodeFilm = (() => {
  const FPS = 25;
  const STEP_US = 1e6 / FPS;
  const PATIENCE_MS = 400;
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

  /* A frame of the stream as a canvas: cut to size, and three planes one above the other made into colours. */
  const painted = (picture, film) => {
    const [, rows, columns] = film.shape;
    const canvas = semlink.element("canvas", { width: columns, height: rows });
    const pen = canvas.getContext("2d", { willReadFrequently: film.planes === 3 });
    pen.drawImage(picture, 0, 0, columns, rows, 0, 0, columns, rows);
    if (film.planes !== 3) return canvas;
    const height = rows / 3;
    const planes = pen.getImageData(0, 0, columns, rows).data;
    const colours = new ImageData(columns, height);
    const size = columns * height;
    for (let n = 0; n < size; n += 1) {
      for (let plane = 0; plane < 3; plane += 1) colours.data[4 * n + plane] = planes[4 * (n + plane * size)];
      colours.data[4 * n + 3] = 255;
    }
    canvas.height = height;
    canvas.getContext("2d").putImageData(colours, 0, 0);
    return canvas;
  };

  const byCodec = async (film, mp4) => {
    if (!("VideoDecoder" in window)) return null;
    const config = { codec: film.codec, description: bytes(film.description), hardwareAcceleration: "prefer-software" };
    const { supported } = await VideoDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (!supported) return null;
    const frames = [];
    let fault = null;
    const decoder = new VideoDecoder({
      output: (picture) => {
        frames[Math.round(picture.timestamp / STEP_US)] = painted(picture, film);
        picture.close();
      },
      error: (why) => { fault = why; },
    });
    try {
      decoder.configure(config);
      film.samples.forEach(([at, size], number) => {
        const type = film.keys.includes(number) ? "key" : "delta";
        decoder.decode(new EncodedVideoChunk({ type, timestamp: number * STEP_US, data: mp4.subarray(at, at + size) }));
      });
      await decoder.flush();
    } catch (why) {
      fault = fault || why;
    }
    if (decoder.state !== "closed") decoder.close();
    const whole = !fault && film.samples.every((_, number) => frames[number]);
    return whole ? { frames, by: "webcodecs", exact: true } : null;
  };

  const told = (video, name) => new Promise((done, failed) => {
    video.addEventListener(name, done, { once: true });
    video.addEventListener("error", () => failed(new Error("the browser does not play H.264")), { once: true });
  });
  const byVideo = async (film, mp4) => {
    const address = URL.createObjectURL(new Blob([mp4], { type: "video/mp4" }));
    const video = semlink.element("video", { muted: true, playsInline: true, preload: "auto" });
    const frames = [];
    let exact = "requestVideoFrameCallback" in video;
    const presented = () => new Promise((done) => {
      if (!("requestVideoFrameCallback" in video)) return done(null);
      video.requestVideoFrameCallback((_, { mediaTime }) => done(Math.round(mediaTime * FPS)));
      return setTimeout(() => done(null), PATIENCE_MS);
    });
    try {
      const ready = told(video, "loadeddata");
      video.src = address;
      await ready;
      for (let number = 0; number < film.samples.length; number += 1) {
        const shown = presented();
        const sought = told(video, "seeked");
        video.currentTime = (number + 0.5) / FPS;
        await sought;
        const found = await shown;
        if (found !== number) exact = false;
        frames.push(painted(video, film));
      }
    } finally {
      URL.revokeObjectURL(address);
    }
    return { frames, by: "video", exact };
  };

  return async (film) => {
    const mp4 = bytes(film.mp4);
    return (await byCodec(film, mp4)) || byVideo(film, mp4);
  };
})();

/* A clip as a file for any player, and a picture as a PNG. */
semlink.saveBlob = (blob, name) => {
  const address = URL.createObjectURL(blob);
  const [stem, suffix] = name;
  semlink.element("a", { href: address, download: `${stem.replace(/[^\w.+-]+/g, "_").slice(0, 80)}.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};
semlink.saveFilm = (film, name) => {
  const content = Uint8Array.from(atob(film.mp4), (sign) => sign.charCodeAt(0));
  semlink.saveBlob(new Blob([content], { type: "video/mp4" }), [name, "mp4"]);
};
semlink.savePicture = (canvas, name) => {
  if (canvas) canvas.toBlob((blob) => semlink.saveBlob(blob, [name, "png"]), "image/png");
};
