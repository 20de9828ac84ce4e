// The element types of a safetensors file that libtorch has, by the names the format gives them.
#pragma once

#include <ATen/core/Tensor.h>

namespace antiphon {

struct SafetensorsDtype {
  const char* name;
  at::ScalarType type;
};

constexpr SafetensorsDtype kSafetensorsDtypes[] = {
    {"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},  {"I64", at::kLong},
    {"BF16", at::kBFloat16}, {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
    {"U8", at::kByte},       {"BOOL", at::kBool},
};

}  // namespace antiphon
