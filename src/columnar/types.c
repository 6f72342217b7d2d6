#include "columnar/types.h"

const char *arka_type_name(arka_type type)
{
    switch (type) {
    case ARKA_BOOLEAN:
        return "BOOLEAN";
    case ARKA_BIGINT:
        return "BIGINT";
    case ARKA_DOUBLE:
        return "DOUBLE";
    case ARKA_VARCHAR:
        return "VARCHAR";
    case ARKA_TIMESTAMPTZ:
        return "TIMESTAMP WITH TIME ZONE";
    case ARKA_TYPE_NONE:
        break;
    }
    return "UNKNOWN";
}
