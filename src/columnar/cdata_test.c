#include "columnar/cdata.h"

#include "kit/batches.h"

static int refs(const arka_batch *batch)
{
    return atomic_load(&batch->ref.count);
}

TEST(exported_batch_points_into_it_and_holds_it)
{
    arka_error err = {0};
    struct ArrowArray array;
    struct ArrowSchema schema;
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(10, 3);
    ASSERT_OK(arka_cdata_export_batch(batch, &array, &err));
    ASSERT_OK(arka_cdata_export_schema(batch, &schema, &err));
    assert_true(refs(batch) > 1);
    assert_int_equal(array.length, 10);
    assert_int_equal(array.n_children, 6);
    assert_int_equal(array.n_buffers, 1);
    assert_null(array.buffers[0]);
    const struct ArrowArray *s = array.children[4];
    assert_int_equal(s->n_buffers, 3);
    assert_int_equal(s->null_count, 3);
    assert_true(s->buffers[0] == batch->columns[4].validity);
    assert_true(s->buffers[1] == batch->columns[4].values);
    assert_true(s->buffers[2] == batch->columns[4].bytes);
    assert_null(array.children[0]->buffers[0]);

    static const char *const formats[] = {"tsu:UTC", "g", "l", "b", "u", "tsu:UTC"};
    assert_string_equal(schema.format, "+s");
    for (int i = 0; i < 6; i++) {
        assert_string_equal(schema.children[i]->format, formats[i]);
        assert_string_equal(schema.children[i]->name, batch->columns[i].name.data);
        assert_int_equal(schema.children[i]->flags, ARROW_FLAG_NULLABLE);
    }
    assert_null(schema.children[1]->metadata);
    assert_memory_equal(schema.children[4]->metadata,
                        "\1\0\0\0\x8\0\0\0arka:tag\1\0\0\0"
                        "1",
                        21);
    array.release(&array);
    schema.release(&schema);
    assert_null(array.release);
    assert_null(schema.release);
    assert_int_equal(refs(batch), 1);
}

TEST(a_moved_child_outlives_its_parent)
{
    arka_error err = {0};
    struct ArrowArray array, child;
    struct ArrowSchema schema, field;
    arka_batch *batch = kit_sample_batch(10, 0);
    int64_t first = arka_column_i64(&batch->columns[2])[9];
    ASSERT_OK(arka_cdata_export_batch(batch, &array, &err));
    ASSERT_OK(arka_cdata_export_schema(batch, &schema, &err));
    arka_batch_unref(batch);
    child = *array.children[2];
    array.children[2]->release = NULL;
    array.release(&array);
    field = *schema.children[2];
    schema.children[2]->release = NULL;
    schema.release(&schema);
    assert_true(((const int64_t *)child.buffers[1])[9] == first);
    assert_string_equal(field.name, "i");
    child.release(&child);
    field.release(&field);
}

TEST(what_is_exported_is_imported)
{
    const int64_t sizes[] = {1, 8, 65, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int64_t null_each = 0; null_each < 4; null_each++) {
            arka_error err = {0};
            struct ArrowArray array;
            struct ArrowSchema schema;
            ARKA_AUTO(arka_batch) batch = kit_sample_batch(sizes[i], null_each);
            ARKA_AUTO(arka_batch) back = NULL;
            ASSERT_OK(arka_cdata_export_batch(batch, &array, &err));
            ASSERT_OK(arka_cdata_export_schema(batch, &schema, &err));
            ASSERT_OK(arka_cdata_import(&array, &schema, 0, &back, &err));
            kit_check_batch(back);
            kit_assert_batches_equal(batch, back);
            array.release(&array);
            schema.release(&schema);
        }
    }
}

/* Rows [from, from + n) by the offset of the struct, and by those of the columns. */
TEST(slices_are_imported)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = kit_sample_batch(100, 3);
    for (int way = 0; way < 3; way++) {
        for (int64_t from = 0; from < 70; from += 7) {
            struct ArrowArray array;
            struct ArrowSchema schema;
            ARKA_AUTO(arka_batch) back = NULL;
            ASSERT_OK(arka_cdata_export_batch(batch, &array, &err));
            ASSERT_OK(arka_cdata_export_schema(batch, &schema, &err));
            array.length = 20;
            array.offset = way == 0 ? from : way == 1 ? 0 : from / 2;
            for (int i = 0; i < 6; i++) {
                array.children[i]->offset = from - array.offset;
                array.children[i]->length = 100 - array.children[i]->offset;
                array.children[i]->null_count = -1;
            }
            ASSERT_OK(arka_cdata_import(&array, &schema, 0, &back, &err));
            kit_check_batch(back);
            for (int c = 0; c < 6; c++) {
                const arka_column *x = &batch->columns[c], *y = &back->columns[c];
                for (int64_t row = 0; row < 20; row++) {
                    assert_int_equal(arka_column_is_null(x, from + row),
                                     arka_column_is_null(y, row));
                    if (x->type == ARKA_VARCHAR)
                        assert_true(arka_slice_eq(arka_column_text(x, from + row),
                                                  arka_column_text(y, row)));
                    else if (x->type == ARKA_BOOLEAN)
                        assert_int_equal(arka_bit(x->values, from + row), arka_bit(y->values, row));
                    else
                        assert_true(arka_column_i64(x)[from + row] == arka_column_i64(y)[row]);
                }
            }
            array.release(&array);
            schema.release(&schema);
        }
    }
}

/* A producer of one column, all on the stack; it has nothing to release. */
typedef struct one_column {
    struct ArrowSchema schema, field, values_type;
    struct ArrowArray array, column, values;
    struct ArrowSchema *fields[1];
    struct ArrowArray *columns[1];
    const void *no_buffer[1], *buffers[3], *value_buffers[3];
} one_column;

static void produce(one_column *p, const char *format, int64_t n, const void *values,
                    const char *bytes)
{
    *p = (one_column){.field = {.format = format, .name = "x"},
                      .buffers = {NULL, values, bytes},
                      .array = {.length = n, .n_buffers = 1, .n_children = 1},
                      .column = {.length = n, .n_buffers = bytes != NULL ? 3 : 2}};
    p->schema = (struct ArrowSchema){.format = "+s", .n_children = 1, .children = p->fields};
    p->fields[0] = &p->field;
    p->columns[0] = &p->column;
    p->array.children = p->columns;
    p->array.buffers = p->no_buffer;
    p->column.buffers = p->buffers;
}

static void expect_ints(const one_column *p, arka_type type, const int64_t *expected, int64_t n)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = NULL;
    ASSERT_OK(arka_cdata_import(&p->array, &p->schema, 1, &batch, &err));
    kit_check_batch(batch);
    assert_int_equal(batch->columns[0].type, type);
    assert_memory_equal(batch->columns[0].values, expected, (size_t)n * 8);
}

TEST(every_convertible_type_is_imported)
{
    one_column p;
    const int64_t same[] = {1, -2, 3}, plus[] = {1, 254, 3};
    produce(&p, "c", 3, (const int8_t[]){1, -2, 3}, NULL);
    expect_ints(&p, ARKA_BIGINT, same, 3);
    produce(&p, "s", 3, (const int16_t[]){1, -2, 3}, NULL);
    expect_ints(&p, ARKA_BIGINT, same, 3);
    produce(&p, "i", 3, (const int32_t[]){1, -2, 3}, NULL);
    expect_ints(&p, ARKA_BIGINT, same, 3);
    produce(&p, "l", 3, same, NULL);
    expect_ints(&p, ARKA_BIGINT, same, 3);
    produce(&p, "C", 3, (const uint8_t[]){1, 254, 3}, NULL);
    expect_ints(&p, ARKA_BIGINT, plus, 3);
    produce(&p, "S", 3, (const uint16_t[]){1, 254, 3}, NULL);
    expect_ints(&p, ARKA_BIGINT, plus, 3);
    produce(&p, "I", 3, (const uint32_t[]){1, 254, 3}, NULL);
    expect_ints(&p, ARKA_BIGINT, plus, 3);
    produce(&p, "L", 3, plus, NULL);
    expect_ints(&p, ARKA_BIGINT, plus, 3);
    produce(&p, "tss:", 3, same, NULL);
    expect_ints(&p, ARKA_TIMESTAMPTZ, (const int64_t[]){1000000, -2000000, 3000000}, 3);
    produce(&p, "tsm:Europe/Berlin", 3, same, NULL);
    expect_ints(&p, ARKA_TIMESTAMPTZ, (const int64_t[]){1000, -2000, 3000}, 3);
    produce(&p, "tsu:UTC", 3, same, NULL);
    expect_ints(&p, ARKA_TIMESTAMPTZ, same, 3);
    produce(&p, "tsn:", 3, same, NULL);
    expect_ints(&p, ARKA_TIMESTAMPTZ, (const int64_t[]){0, -1, 0}, 3);
    produce(&p, "tdD", 3, (const int32_t[]){1, -2, 3}, NULL);
    expect_ints(&p, ARKA_TIMESTAMPTZ, (const int64_t[]){86400000000, -172800000000, 259200000000},
                3);
    produce(&p, "f", 1, (const float[]){0.5f}, NULL);
    double half = 0.5;
    int64_t bits;
    memcpy(&bits, &half, 8);
    expect_ints(&p, ARKA_DOUBLE, &bits, 1);
}

static void expect_texts(const one_column *p)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = NULL;
    ASSERT_OK(arka_cdata_import(&p->array, &p->schema, 1, &batch, &err));
    kit_check_batch(batch);
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 0), ARKA_SLICE("ab")));
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 1), ARKA_SLICE("")));
    assert_true(arka_slice_eq(arka_column_text(&batch->columns[0], 2), ARKA_SLICE("c")));
}

TEST(texts_of_every_kind_are_imported)
{
    one_column p;
    const int32_t offsets[] = {0, 2, 2, 3};
    const int64_t large[] = {0, 2, 2, 3};
    produce(&p, "u", 3, offsets, "abc");
    expect_texts(&p);
    produce(&p, "z", 3, offsets, "abc");
    expect_texts(&p);
    produce(&p, "U", 3, large, "abc");
    expect_texts(&p);

    const int32_t values[] = {0, 1, 1, 3};
    produce(&p, "S", 3, (const uint16_t[]){2, 1, 0}, NULL);
    p.values_type = (struct ArrowSchema){.format = "u"};
    p.values = (struct ArrowArray){.length = 3, .n_buffers = 3, .buffers = p.value_buffers};
    p.value_buffers[1] = values;
    p.value_buffers[2] = "cab";
    p.field.dictionary = &p.values_type;
    p.column.dictionary = &p.values;
    expect_texts(&p);
}

TEST(a_tag_stays_a_tag)
{
    one_column p;
    arka_error err = {0};
    const int32_t offsets[] = {0, 1};
    ARKA_AUTO(arka_batch) batch = NULL;
    produce(&p, "u", 1, offsets, "a");
    p.field.metadata = "\2\0\0\0\1\0\0\0k\0\0\0\0\x8\0\0\0arka:tag\1\0\0\0"
                       "1";
    ASSERT_OK(arka_cdata_import(&p.array, &p.schema, 1, &batch, &err));
    assert_true(batch->columns[0].tag);
}

static void expect_refused(const one_column *p, const char *says)
{
    arka_error err = {0};
    ARKA_AUTO(arka_batch) batch = NULL;
    ASSERT_FAILS(arka_cdata_import(&p->array, &p->schema, 1, &batch, &err), ARKA_INPUT, says);
    assert_null(batch);
}

TEST(what_cannot_be_held_is_refused_by_name)
{
    one_column p;
    const int64_t values[] = {1, 2, -1, 0};
    produce(&p, "d:10,2", 1, values, NULL);
    expect_refused(&p, "column 'x' has the Arrow format 'd:10,2', which no column of Arc can hold");
    produce(&p, "+l", 1, values, NULL);
    expect_refused(&p, "'+l'");
    produce(&p, "L", 3, values, NULL);
    expect_refused(&p, "column 'x', row 2: an unsigned number over");
    produce(&p, "u", 1, (const int32_t[]){0, 1}, "\xff");
    expect_refused(&p, "column 'x', row 0: the text is not UTF-8");
    produce(&p, "l", 1, NULL, NULL);
    expect_refused(&p, "the values buffer has 0 bytes, 1 rows of Int64 need 8");
    produce(&p, "l", 1, values, NULL);
    p.column.n_buffers = 3;
    expect_refused(&p, "column 'x' has 3 buffers, Int64 has 2");
    produce(&p, "l", 2, values, NULL);
    p.column.length = 1;
    expect_refused(&p, "column 'x' has 1 rows from row 0 on, expected 2 from 0 on");
    produce(&p, "l", 0, values, NULL);
    expect_refused(&p, "a struct array of 0 rows");
    produce(&p, "l", 1, values, NULL);
    p.array.n_children = 0;
    expect_refused(&p, "a struct array of 0 columns with a schema of 1");
    produce(&p, "l", 1, values, NULL);
    p.schema.format = "l";
    expect_refused(&p, "Arrow format 'l', expected a struct");
    produce(&p, "l", 1, values, NULL);
    p.field.name = "\xff";
    expect_refused(&p, "a column name is missing or not UTF-8");
    produce(&p, "c", 1, values, NULL);
    p.values_type = (struct ArrowSchema){.format = "u"};
    p.field.dictionary = &p.values_type;
    expect_refused(&p, "column 'x' comes without its dictionary");
    produce(&p, "l", 1, values, NULL);
    p.no_buffer[0] = values;
    p.array.null_count = 1;
    expect_refused(&p, "nulls of its own");
}

TEST(failed_allocations_leave_nothing_behind)
{
    arka_batch *batch = kit_sample_batch(10, 3);
    for (long n = 1;; n++) {
        arka_error err = {0};
        struct ArrowArray array;
        struct ArrowSchema schema;
        kit_fail_allocation(n, false);
        arka_status status = arka_cdata_export_batch(batch, &array, &err);
        if (status == ARKA_OK) {
            status = arka_cdata_export_schema(batch, &schema, &err);
            if (status == ARKA_OK) {
                arka_batch *back = NULL;
                status = arka_cdata_import(&array, &schema, 0, &back, &err);
                arka_batch_unref(back);
                schema.release(&schema);
            }
            array.release(&array);
        }
        kit_fail_allocation(0, false);
        assert_int_equal(refs(batch), 1);
        if (status == ARKA_OK) {
            assert_true(n > 16);
            break;
        }
        assert_int_equal(status, ARKA_NOMEM);
    }
    arka_batch_unref(batch);
}
