// The functions that a client lets the model call: which may be declared, and what of a call fits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conversation/refusal.h"

namespace antiphon {

struct Function {
  std::string name;
  std::string description;
  std::string parameters;  // a JSON Schema of an object; empty: it takes none

  friend bool operator==(const Function&, const Function&) = default;
};

// The first mistake in them, if there is one; `path` is that of the field that holds the list. The wire
// contract states the limits.
std::optional<Refusal> CheckFunctions(const std::vector<Function>& functions, const std::string& path);

// What the model reads of them: "set_timer minutes , switch_light room state". Empty of none.
// REQUIRES: CheckFunctions found no mistake.
std::string SignaturesOf(const std::vector<Function>& functions);

// What keeps a call from being one of these functions with arguments that its schema's `required` and `type`
// allow; empty: nothing. What else the schema says is not looked at. REQUIRES: as above.
std::string FaultOfCall(const std::vector<Function>& functions, const std::string& name,
                        const std::string& arguments);

}  // namespace antiphon
