// The element types of a safetensors file that libtorch has, by the names the format gives them.
#pragma once

#include <torch/types.h>

namespace antiphon {

struct SafetensorsDtype {
  const char* name;
  torch::ScalarType type;
};

constexpr SafetensorsDtype kSafetensorsDtypes[] = {
    {"F64", torch::kDouble},    {"F32", torch::kFloat}, {"F16", torch::kHalf},  {"I64", torch::kLong},
    {"BF16", torch::kBFloat16}, {"I32", torch::kInt},   {"I16", torch::kShort}, {"I8", torch::kChar},
    {"U8", torch::kByte},       {"BOOL", torch::kBool},
};

}  // namespace antiphon
