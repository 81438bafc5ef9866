#include "app/mbox_names.h"

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::app {

namespace {
constexpr std::string_view kEnd = ".mbox";
}  // namespace

std::string mbox_path(std::string_view folder) {
    std::string out;
    for (const char c : folder) {
        if (c == '%' || c == '.' || c == '\\' || is_ctl(c)) {
            out.append("%").append(hex_encode(std::string_view(&c, 1)));
        } else {
            out.push_back(c);
        }
    }
    return out.append(kEnd);
}

std::string mbox_folder(std::string_view path) {
    if (!path.ends_with(kEnd)) {
        return std::string(path);
    }
    path.remove_suffix(kEnd.size());
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const auto octet = path[i] == '%' ? hex_decode(path.substr(i + 1, 2)) : std::nullopt;
        if (octet && octet->size() == 1) {
            out.append(*octet);
            i += 2;
        } else {
            out.push_back(path[i]);
        }
    }
    return out;
}

}  // namespace godwit::app
