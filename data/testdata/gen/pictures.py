"""Writes ../pictures/*, odd picture files, and ../pictures.json, what Pillow makes of them: python3 gen/pictures.py. Made with Pillow 9.4."""
import io, json, os, struct, zlib
import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'pictures')
os.makedirs(out, exist_ok=True)
rng = np.random.default_rng(5)
want = {}
path = lambda n: os.path.join(out, n)


def png_chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def png(name, a, colour, bits=8, extra=(), late=(), adam7=False):
    """a [H,W,C]; colour is the PNG colour type."""
    h, w = a.shape[:2]
    kind = '>u2' if bits == 16 else 'u1'
    rows = lambda p: b''.join(b'\0' + np.ascontiguousarray(r).astype(kind).tobytes() for r in p) if p.size else b''
    if adam7:
        steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b''.join(rows(a[y::dy, x::dx]) for y, x, dy, dx in steps)
    else:
        data = rows(a)
    b = b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, bits, colour, 0, 0, adam7))
    b += b''.join(png_chunk(k, v) for k, v in extra) + png_chunk(b'IDAT', zlib.compress(data))
    b += b''.join(png_chunk(k, v) for k, v in late) + png_chunk(b'IEND', b'')
    open(path(name), 'wb').write(b)
    add(name)


def add(name, tolerance=0, values=None):
    im = Image.open(path(name))
    im.load()
    if im.format != 'TIFF':  # Pillow has turned those while loading
        im = ImageOps.exif_transpose(im)
    if values is None:
        if im.mode in ('I', 'I;16', 'I;16B'):
            values = np.asarray(im).astype(int)[None]
        elif im.mode in ('L', '1', 'LA'):
            values = np.asarray(im.convert('L'))[None]
        else:
            values = np.asarray(im.convert('RGB')).transpose(2, 0, 1)
    values = np.asarray(values).astype(int)
    w = {'shape': list(values.shape), 'values': values.ravel().tolist(), 'tolerance': tolerance}
    if 'transparency' in im.info or im.mode in ('LA', 'RGBA', 'PA'):
        rgba = im.convert('RGBA')
        for ground, level in ('white', 255), ('black', 0):
            bg = Image.new('RGB', im.size, (level,) * 3)
            bg.paste(rgba.convert('RGB'), mask=rgba.getchannel('A'))
            w[ground] = np.asarray(bg).transpose(2, 0, 1).astype(int).ravel().tolist()
    want[name] = w


def save(im, name, tolerance=0, **k):
    im.save(path(name), **k)
    add(name, tolerance)


rgb = rng.integers(0, 256, (3, 5, 3)).astype('u1')
im = Image.fromarray(rgb)
for o in range(1, 9):
    ex = Image.Exif()
    ex[0x0112] = o
    save(im, f'turn{o}.png', exif=ex)
    save(im, f'turn{o}.webp', exif=ex, lossless=True)
    ti = TiffImagePlugin.ImageFileDirectory_v2()
    ti[0x0112] = o
    save(im, f'turn{o}.tif', tiffinfo=ti)
exif6 = Image.Exif()
exif6[0x0112] = 6
raw = exif6.tobytes()
magick = '\nexif\n%8d\n' % len(raw) + '\n'.join(raw.hex()[i:i + 72] for i in range(0, len(raw.hex()), 72)) + '\n'
meta = PngImagePlugin.PngInfo()
meta.add_text('Raw profile type exif', magick, zip=True)
save(im, 'turn_ztxt.png', pnginfo=meta)
meta = PngImagePlugin.PngInfo()
meta.add_itxt('Raw profile type exif', magick, zip=True)
save(im, 'turn_itxt.png', pnginfo=meta)
meta = PngImagePlugin.PngInfo()
meta.add_itxt('XML:com.adobe.xmp', '<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>')
save(im, 'turn_xmp.png', pnginfo=meta)
png('turn_late.png', rgb, 2, late=[(b'eXIf', raw[6:])])
save(Image.fromarray(rgb[..., 0]), 'turn_grey.tif', tiffinfo=ti)
save(im, 'turn.jpg', exif=exif6, quality=95, subsampling=0, tolerance=3)

g16 = (np.arange(30).reshape(5, 6) * 2114 + 7).astype('u2')
c16 = rng.integers(0, 65536, (4, 3, 4)).astype('u2')
png('g16.png', g16[..., None], 0, 16)
png('g16_turned.png', g16[..., None], 0, 16, extra=[(b'eXIf', raw[6:])])
save(Image.fromarray(g16), 'g16.tif')
for name, a, colour in ('rgb16.png', c16[..., :3], 2), ('rgba16.png', c16, 6), ('la16.png', c16[..., :2], 4):
    png(name, a, colour, 16)
    planes = {2: 3, 6: 3, 4: 1}[colour]  # Pillow keeps 8 bits of these; the file is the truth
    want[name] = {'shape': [planes, 4, 3], 'values': a[..., :planes].transpose(2, 0, 1).astype(int).ravel().tolist(), 'tolerance': 0}
png('adam7.png', rng.integers(0, 256, (11, 13, 3)).astype('u1'), 2, adam7=True)

a4 = rng.integers(0, 256, (4, 6, 4)).astype('u1')
a4[0, :, 3], a4[1, :, 3] = 0, 255
save(Image.fromarray(a4), 'rgba.png')
save(Image.fromarray(a4), 'rgba.webp', lossless=True, exact=True)
save(Image.fromarray(a4[..., :2], 'LA'), 'la.png')
png('l_trns.png', a4[..., :1], 0, extra=[(b'tRNS', struct.pack('>H', int(a4[2, 2, 0])))])
png('rgb_trns.png', a4[..., :3], 2, extra=[(b'tRNS', struct.pack('>HHH', *map(int, a4[2, 2, :3])))])
pal = Image.fromarray((np.arange(24).reshape(4, 6) * 10).astype('u1')).convert('P')
pal.putpalette(list(rng.integers(0, 256, 768)))
save(pal, 'palette.png')
save(pal, 'palette_trns.png', transparency=bytes(rng.integers(0, 256, 256).astype('u1')))
save(pal, 'palette.tif')
for colours in 2, 4, 16:
    save(im.resize((9, 7)).quantize(colours), f'palette{colours}.png')
bits = Image.fromarray(rng.random((9, 11)) > .5)
for ext in 'png', 'tif', 'bmp':
    save(bits, f'bits.{ext}')
save(bits, 'bits_g4.tif', compression='group4')
for c in 'tiff_lzw', 'tiff_adobe_deflate', 'packbits':
    save(im, c + '.tif', compression=c)
for name, i in ('rgb', im), ('palette', pal), ('grey', Image.fromarray(rgb[..., 0])):
    save(i, name + '.bmp')

big = Image.fromarray(np.kron(rng.integers(0, 256, (3, 4, 3)), np.ones((6, 6, 1))).astype('u1'))
save(big, 'progressive.jpg', 4, quality=92, progressive=True)
save(big.convert('L'), 'grey.jpg', 4, quality=92)
save(big, 'icc.jpg', 4, quality=92, icc_profile=b'not a profile at all')
save(big.convert('CMYK'), 'cmyk.jpg', 4, quality=95)
b = open(path('cmyk.jpg'), 'rb').read()
at = b.index(b'Adobe') + 11
open(path('ycck.jpg'), 'wb').write(b[:at] + b'\2' + b[at + 1:])  # the same numbers, taken for YCCK
add('ycck.jpg', 4)
save(im, 'icc.png', icc_profile=b'\0' * 40)
save(Image.new('RGB', (1, 1), (255, 0, 9)), 'one.png')

frames = [Image.fromarray(rng.integers(0, 256, (6, 8, 3)).astype('u1')) for _ in range(3)]
save(frames[0], 'animated.webp', save_all=True, append_images=frames[1:], lossless=True, exif=exif6)
save(frames[0], 'animated.png', save_all=True, append_images=frames[1:])
save(frames[0], 'animated_apart.png', save_all=True, append_images=frames[1:], default_image=True)
save(frames[0].quantize(16), 'animated.gif', save_all=True, append_images=[f.quantize(16) for f in frames[1:]])


def gif_on_canvas(name, **k):
    b = io.BytesIO()
    pal.save(b, 'GIF', **k)
    b = bytearray(b.getvalue())
    b[6:10] = struct.pack('<HH', 9, 8)
    at = b.index(b',\0\0\0\0\6\0\4\0')
    b[at + 1:at + 5] = struct.pack('<HH', 2, 3)
    open(path(name), 'wb').write(b)
    add(name)


gif_on_canvas('part.gif')
gif_on_canvas('part_transparent.gif', transparency=50)

for name, head, body in [
        ('p1.pbm', b'P1\n# bits\n4 2\n', b'1010 0 1\n01'), ('p2.pgm', b'P2 3 2\n# white\n100\n', b'0 50 100 1 2 3\n'), ('p3.ppm', b'P3\n2 1 255\n', b'1 2 3 250 251 252'),
        ('p4.pbm', b'P4\n9 2\n', bytes([0xA5, 0x80, 0x0F, 0])), ('p5.pgm', b'P5 3 2 255\n', bytes(range(0, 60, 10))), ('p5_77.pgm', b'P5 3 2 77\n', bytes([0, 10, 20, 40, 70, 77])),
        ('p5_16.pgm', b'P5 2 2 65535\n', struct.pack('>4H', 0, 258, 40000, 65535)), ('p5_12.pgm', b'P5 2 2 4095\n', struct.pack('>4H', 0, 258, 4000, 4095)),
        ('p6.ppm', b'P6 2 2 255\n', bytes(range(12)))]:
    open(path(name), 'wb').write(head + body)
    add(name)

json.dump(want, open(os.path.join(out, '..', 'pictures.json'), 'w'), separators=(',', ':'))
print(len(want), 'files', sum(os.path.getsize(path(n)) for n in want), 'bytes')

# Resizing of 16-bit pictures: Pillow's mode I has the same arithmetic, exact weights and a rounding after each axis.
cases = []
for h, w, oh, ow in (7, 5, 3, 4), (3, 4, 8, 9), (9, 13, 9, 5), (1, 1, 4, 4):
    a = rng.integers(0, 65536, (h, w)).astype('i4')
    cases.append({'h': h, 'w': w, 'oh': oh, 'ow': ow, 'src': a.ravel().tolist(),
                  'dst': np.asarray(Image.fromarray(a, 'I').resize((ow, oh), Image.Resampling.BILINEAR)).ravel().tolist()})
json.dump(cases, open(os.path.join(out, '..', 'resize16_pillow.json'), 'w'), separators=(',', ':'))
