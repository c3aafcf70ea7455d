// SPDX-License-Identifier: MIT
#include "init/object.h"

namespace vial {

void ObjectWriter::put_key(const char* key)
{
    out_.put(first_ ? "\"" : ",\"").put(key).put("\":");
    first_ = false;
}

void ObjectWriter::text(const char* key, std::string_view value)
{
    put_key(key);
    out_.quoted(value);
}

void ObjectWriter::raw(const char* key, std::string_view value)
{
    put_key(key);
    out_.put(value);
}

void ObjectWriter::null(const char* key)
{
    raw(key, "null");
}

void ObjectWriter::number(const char* key, std::int64_t value)
{
    if (value == no_number)
        return null(key);
    put_key(key);
    out_.decimal(value);
}

void ObjectWriter::flag(const char* key, bool value)
{
    raw(key, value ? "true" : "false");
}

void ObjectWriter::open(const char* key)
{
    raw(key, "{");
    first_ = true;
}

void ObjectWriter::open_foreign(std::string_view key)
{
    out_.put(first_ ? "" : ",").quoted(key).put(":{");
    first_ = true;
}

void ObjectWriter::close()
{
    out_.put('}');
    first_ = false;
}

void ObjectWriter::end()
{
    out_.put("}\n");
}

void put_code(ObjectWriter& out, int code, int signal)
{
    out.number("code", code);
    char scratch[16];
    if (signal != 0)
        out.text("signal", signal_name(signal, scratch));
    else
        out.null("signal");
}

}  // namespace vial
