#include "engine/exception_status.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

namespace antiphon {

Status CurrentExceptionStatus() {
  try {
    throw;
  } catch (const c10::Error& error) {
    return Internal(std::string("the model failed: ") + error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory");
  } catch (const std::exception& error) {
    return Internal(std::string("the model failed: ") + error.what());
  }
}

}  // namespace antiphon
