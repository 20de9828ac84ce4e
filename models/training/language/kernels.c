/* The elementwise and attention parts of a training step on packed sequences, float32, one thread.
 *
 * PyTorch on a CPU spends as much time between the matrix products as in them (a dozen passes over memory for a norm,
 * a batched product per head for attention). These loops do each in one pass. Sequences lie one behind the other
 * without padding: sequence s owns rows starts[s] .. starts[s+1]. Compiled by kernels.py with -O3 -ffast-math.
 */
#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { kQueryBlock = 64 };

/* y = x * inverse[row] * weight, inverse = 1 / sqrt(mean(x^2) + eps). */
void rms_norm_forward(const float *x, const float *weight, float *y, float *inverse, int64_t rows, int64_t width,
                      float eps) {
  for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
    float sum = 0;
    for (int64_t i = 0; i < width; ++i) sum += x[i] * x[i];
    const float scale = 1.0f / sqrtf(sum / width + eps);
    inverse[r] = scale;
    for (int64_t i = 0; i < width; ++i) y[i] = x[i] * scale * weight[i];
  }
}

/* dx += gradient with respect to x; dweight += gradient with respect to the weight. */
void rms_norm_backward(const float *x, const float *weight, const float *inverse, const float *dy, float *dx,
                       float *dweight, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, x += width, dy += width, dx += width) {
    const float scale = inverse[r];
    float dot = 0;
    for (int64_t i = 0; i < width; ++i) {
      const float g = dy[i] * x[i];
      dweight[i] += g * scale;
      dot += g * weight[i];
    }
    const float along = dot * scale * scale * scale / width;
    for (int64_t i = 0; i < width; ++i) dx[i] += dy[i] * weight[i] * scale - along * x[i];
  }
}

/* Rotates the query and key thirds of qkv [rows, 3 * heads * head_width] in place, first half against second half.
 * table [positions, 2, head_width / 2] holds cosines and sines; sign -1 undoes the rotation (the backward pass). */
void rotate(float *qkv, const float *table, const int32_t *positions, int64_t rows, int64_t heads, int64_t head_width,
            float sign) {
  const int64_t half = head_width / 2;
  for (int64_t r = 0; r < rows; ++r) {
    const float *cosine = table + positions[r] * head_width, *sine = cosine + half;
    float *vector = qkv + r * 3 * heads * head_width;
    for (int64_t h = 0; h < 2 * heads; ++h, vector += head_width) {
      for (int64_t i = 0; i < half; ++i) {
        const float a = vector[i], b = vector[half + i], s = sign * sine[i];
        vector[i] = a * cosine[i] - b * s;
        vector[half + i] = b * cosine[i] + a * s;
      }
    }
  }
}

static void softmax_row(float *row, int64_t visible, int64_t length) {
  float top = row[0], sum = 0;
  for (int64_t i = 1; i < visible; ++i) top = row[i] > top ? row[i] : top;
  for (int64_t i = 0; i < visible; ++i) sum += row[i] = expf(row[i] - top);
  const float scale = 1.0f / sum;
  for (int64_t i = 0; i < visible; ++i) row[i] *= scale;
  for (int64_t i = visible; i < length; ++i) row[i] = 0;
}

/* Sequences of at most this many rows (the depth decoder's) are not worth a library call per product. */
enum { kShort = 8 };

static void short_forward(const float *q, const float *k, const float *v, int64_t stride, float *probability,
                          float *out, int64_t out_stride, int64_t length, int64_t width, float scale) {
  for (int64_t i = 0; i < length; ++i) {
    float *row = probability + i * length;
    for (int64_t j = 0; j <= i; ++j) {
      float sum = 0;
      for (int64_t c = 0; c < width; ++c) sum += q[i * stride + c] * k[j * stride + c];
      row[j] = sum * scale;
    }
    softmax_row(row, i + 1, length);
    float *o = out + i * out_stride;
    memset(o, 0, width * sizeof(float));
    for (int64_t j = 0; j <= i; ++j)
      for (int64_t c = 0; c < width; ++c) o[c] += row[j] * v[j * stride + c];
  }
}

static void short_backward(const float *q, const float *k, const float *v, int64_t stride, const float *probability,
                           const float *dout, int64_t out_stride, float *dq, float *dk, float *dv, int64_t length,
                           int64_t width, float scale) {
  for (int64_t i = 0; i < length; ++i) {
    const float *row = probability + i * length, *g = dout + i * out_stride;
    float dscore[kShort], dot = 0;
    for (int64_t j = 0; j <= i; ++j) {
      float sum = 0;
      for (int64_t c = 0; c < width; ++c) {
        sum += g[c] * v[j * stride + c];
        dv[j * stride + c] += row[j] * g[c];
      }
      dscore[j] = sum;
      dot += sum * row[j];
    }
    for (int64_t j = 0; j <= i; ++j) {
      const float d = (dscore[j] - dot) * row[j] * scale;
      for (int64_t c = 0; c < width; ++c) {
        dq[i * stride + c] += d * k[j * stride + c];
        dk[j * stride + c] += d * q[i * stride + c];
      }
    }
  }
}

/* Causal attention within each sequence. qkv [rows, 3 * heads * head_width], out [rows, heads * head_width].
 * probability receives, per sequence and head, the attention weights in blocks of 64 queries; it must hold
 * heads * length^2 floats per sequence. */
void attention_forward(const float *qkv, const int32_t *starts, int64_t sequences, int64_t heads, int64_t head_width,
                       float *probability, float *out) {
  const int64_t width = heads * head_width, stride = 3 * width;
  const float scale = 1.0f / sqrtf((float)head_width);
  for (int64_t s = 0; s < sequences; ++s) {
    const int64_t length = starts[s + 1] - starts[s];
    for (int64_t h = 0; h < heads; ++h, probability += length * length) {
      const float *q = qkv + starts[s] * stride + h * head_width, *k = q + width, *v = k + width;
      float *o = out + starts[s] * width + h * head_width;
      if (length <= kShort) {
        short_forward(q, k, v, stride, probability, o, width, length, head_width, scale);
        continue;
      }
      float *block = probability;
      for (int64_t begin = 0; begin < length; begin += kQueryBlock) {
        const int64_t queries = length - begin < kQueryBlock ? length - begin : kQueryBlock, keys = begin + queries;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, queries, keys, head_width, scale, q + begin * stride,
                    stride, k, stride, 0, block, keys);
        for (int64_t i = 0; i < queries; ++i) softmax_row(block + i * keys, begin + i + 1, keys);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, queries, head_width, keys, 1, block, keys, v, stride, 0,
                    o + begin * width, width);
        block += queries * keys;
      }
    }
  }
}

/* dqkv must be zero on entry. scratch: 64 * longest sequence floats. */
void attention_backward(const float *qkv, const float *probability, const float *dout, const int32_t *starts,
                        int64_t sequences, int64_t heads, int64_t head_width, float *dqkv, float *scratch) {
  const int64_t width = heads * head_width, stride = 3 * width;
  const float scale = 1.0f / sqrtf((float)head_width);
  for (int64_t s = 0; s < sequences; ++s) {
    const int64_t length = starts[s + 1] - starts[s];
    for (int64_t h = 0; h < heads; ++h, probability += length * length) {
      const int64_t at = starts[s] * stride + h * head_width;
      const float *q = qkv + at, *k = q + width, *v = k + width;
      float *dq = dqkv + at, *dk = dq + width, *dv = dk + width;
      const float *g = dout + starts[s] * width + h * head_width;
      if (length <= kShort) {
        short_backward(q, k, v, stride, probability, g, width, dq, dk, dv, length, head_width, scale);
        continue;
      }
      const float *block = probability;
      for (int64_t begin = 0; begin < length; begin += kQueryBlock) {
        const int64_t queries = length - begin < kQueryBlock ? length - begin : kQueryBlock, keys = begin + queries;
        const float *gb = g + begin * width;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, queries, keys, head_width, 1, gb, width, v, stride, 0,
                    scratch, keys);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, keys, head_width, queries, 1, block, keys, gb, width, 1,
                    dv, stride);
        for (int64_t i = 0; i < queries; ++i) {
          float *d = scratch + i * keys;
          const float *p = block + i * keys;
          float dot = 0;
          for (int64_t j = 0; j < keys; ++j) dot += d[j] * p[j];
          for (int64_t j = 0; j < keys; ++j) d[j] = (d[j] - dot) * p[j] * scale;
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, queries, head_width, keys, 1, scratch, keys, k, stride,
                    0, dq + begin * stride, stride);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, keys, head_width, queries, 1, scratch, keys,
                    q + begin * stride, stride, 1, dk, stride);
        block += queries * keys;
      }
    }
  }
}

/* both [rows, 2 * width]: gate then up; y = silu(gate) * up. */
void swiglu_forward(const float *both, float *y, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, both += 2 * width, y += width) {
    const float *gate = both, *up = both + width;
    for (int64_t i = 0; i < width; ++i) y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
  }
}

/* Overwrites `both` with the gradient with respect to it. */
void swiglu_backward(float *both, const float *dy, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r, both += 2 * width, dy += width) {
    float *gate = both, *up = both + width;
    for (int64_t i = 0; i < width; ++i) {
      const float g = gate[i], sigmoid = 1.0f / (1.0f + expf(-g)), silu = g * sigmoid, d = dy[i];
      gate[i] = d * up[i] * (sigmoid + silu * (1.0f - sigmoid));
      up[i] = d * silu;
    }
  }
}

/* Cross-entropy of each row, loss[r] without weight; logits become weight[r] * (softmax - one hot).
 * correct[r] is 1 where the target had the highest logit. */
void cross_entropy(float *logits, const int64_t *target, const float *weight, float *loss, float *correct,
                   int64_t rows, int64_t classes) {
  for (int64_t r = 0; r < rows; ++r, logits += classes) {
    float top = logits[0], sum = 0;
    for (int64_t i = 1; i < classes; ++i) top = logits[i] > top ? logits[i] : top;
    const float wanted = logits[target[r]];
    for (int64_t i = 0; i < classes; ++i) sum += logits[i] = expf(logits[i] - top);
    loss[r] = logf(sum) + top - wanted;
    correct[r] = wanted >= top;
    const float scale = weight[r] / sum;
    for (int64_t i = 0; i < classes; ++i) logits[i] *= scale;
    logits[target[r]] -= weight[r];
  }
}

/* One AdamW step on [count] parameters; gradient = the sum over `workers` rows of `gradients`, `stride` apart,
 * times `gradient_scale`. Clears what it read. decay[i] multiplies the learning rate times the parameter. */
void adamw(float *parameter, float *gradients, int64_t workers, int64_t stride, float *mean, float *square,
           const float *decay, int64_t count, float gradient_scale, float rate, float beta1, float beta2,
           float correction1, float correction2) {
  const float step = rate / correction1, root = 1.0f / sqrtf(correction2);
  for (int64_t i = 0; i < count; ++i) {
    float g = 0;
    for (int64_t w = 0; w < workers; ++w) {
      g += gradients[w * stride + i];
      gradients[w * stride + i] = 0;
    }
    g *= gradient_scale;
    mean[i] = beta1 * mean[i] + (1 - beta1) * g;
    square[i] = beta2 * square[i] + (1 - beta2) * g * g;
    parameter[i] -= rate * decay[i] * parameter[i] + step * mean[i] / (sqrtf(square[i]) * root + 1e-8f);
  }
}

/* Sum of squares of the gradient summed over workers. */
double gradient_energy(const float *gradients, int64_t workers, int64_t stride, int64_t count) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += 4096) {
    const int64_t end = begin + 4096 < count ? begin + 4096 : count;
    float sum = 0;
    for (int64_t i = begin; i < end; ++i) {
      float g = 0;
      for (int64_t w = 0; w < workers; ++w) g += gradients[w * stride + i];
      sum += g * g;
    }
    total += sum;
  }
  return total;
}
