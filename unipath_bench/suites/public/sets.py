"""The table of public data sets. Each entry is a registered suite.

Facts were read in November 2026 in the sources that each entry names. What could not be read anywhere is None, or the
entry says so in its remarks; the words for classes and the sentences around them are this project's own.
"""

from __future__ import annotations

from unipath_bench.suites.public.annotations import CaptionBags, CaptionTable, QuestionDocument
from unipath_bench.suites.public.mapped import ColumnMap
from unipath_bench.suites.public.slides import SlidePatches
from unipath_bench.suites.public.spec import DataSet
from unipath_bench.suites.public.stacks import FoldArrays, PatchCamelyon
from unipath_bench.suites.public.tree import Tree

_BY_IMAGE = "None are published: every image counts as its own group, so intervals are by image and too narrow."
_UNIPATH = "README of the UniPath code, which names the hub page; no description of the columns could be read"

kather_2016 = DataSet(
    name="kather-2016",
    title="Kather-CRC 2016: colorectal cancer texture tiles",
    layout=Tree(
        variants={"tiles": {"Kather_texture_2016_image_tiles_5000": None}},
        pattern=r"(?P<label>0[1-8]_[A-Z]+)/[^/]*(?P<group>CRC-Prim-HE-\d+)[^/]*\.tif",
    ),
    expects="  Kather_texture_2016_image_tiles_5000/01_TUMOR/10009_CRC-Prim-HE-03_009.tif_Row_301_Col_151.tif",
    licence="CC-BY-4.0",
    page="https://zenodo.org/records/53169",
    source="File names and microns as described with copies of the record; licence, class descriptions and the meaning "
    "of file names: documentation of stable-datasets (KatherColorectalHistology).",
    citation="Kather et al., Multi-class texture analysis in colorectal cancer histology, Sci Rep 6:27988 (2016)",
    attributes=("label",),
    classes={
        "01_TUMOR": "tumour epithelium",
        "02_STROMA": "simple stroma",
        "03_COMPLEX": "complex stroma",
        "04_LYMPHO": "lymphocytes",
        "05_DEBRIS": "debris",
        "06_MUCOSA": "normal mucosal glands",
        "07_ADIPOSE": "adipose tissue",
        "08_EMPTY": "background without tissue",
    },
    template="Haematoxylin and eosin stained colorectal tissue: {phrase}.",
    microns_per_pixel=0.495,
    groups="The slide number in the file name (CRC-Prim-HE-NN); no patient is published.",
    splits="ours",
    published={"all": 5000},
)

nct_crc = DataSet(
    name="nct-crc",
    title="NCT-CRC-HE-100K (train) and CRC-VAL-HE-7K (test)",
    layout=Tree(
        variants={
            "normalised": {"NCT-CRC-HE-100K": "train", "CRC-VAL-HE-7K": "test"},
            "nonorm": {"NCT-CRC-HE-100K-NONORM": "train", "CRC-VAL-HE-7K": "test"},
        },
        pattern=r"(?P<label>[A-Z]+)/[^/]+\.tif",
    ),
    expects="  NCT-CRC-HE-100K/ADI/ADI-AAAFLCLY.tif\n  CRC-VAL-HE-7K/ADI/....tif",
    licence="CC-BY-4.0",
    page="https://zenodo.org/records/1214456",
    source="Documentation of kaiko-ai/eva (docs/datasets/crc.md)",
    citation="Kather, Halama and Marx, 100,000 histological images of human colorectal cancer and healthy tissue "
    "(Zenodo 1214456, 2018)",
    attributes=("label",),
    classes={
        "ADI": "adipose tissue",
        "BACK": "background without tissue",
        "DEB": "debris",
        "LYM": "lymphocytes",
        "MUC": "mucus",
        "MUS": "smooth muscle",
        "NORM": "normal colon mucosa",
        "STR": "cancer-associated stroma",
        "TUM": "colorectal adenocarcinoma epithelium",
    },
    template="Haematoxylin and eosin stained colorectal tissue: {phrase}.",
    microns_per_pixel=0.5,
    groups=f"{_BY_IMAGE} The 50 patients of CRC-VAL-HE-7K have no image in the training set.",
    published={"train": 100_000, "test": 7_180},
    remarks="Colour normalisation, JPEG traces and damaged tiles tell the classes apart in part (Ignatov and "
    "Malivenko, arXiv 2409.11546); variant=nonorm is the edition without normalisation.",
)

pcam = DataSet(
    name="pcam",
    title="PatchCamelyon: lymph node sections, with and without metastasis",
    layout=PatchCamelyon(
        stem="camelyonpatch_level_2_split",
        parts={"train": "train", "valid": "heldout", "test": "test"},
        names=("negative", "positive"),
    ),
    expects="  camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5 (unpacked)\n"
    "  camelyonpatch_level_2_split_{train,valid,test}_meta.csv",
    licence="CC0-1.0",
    page="https://zenodo.org/records/2546921",
    source="README of basveeling/pcam; columns of the meta files as several readers of them have them",
    citation="Veeling et al., Rotation equivariant CNNs for digital pathology (MICCAI 2018), arXiv 1806.03962",
    attributes=("label",),
    classes={"negative": "no tumour tissue in the centre", "positive": "metastatic tumour tissue in the centre"},
    template="Haematoxylin and eosin stained sentinel lymph node section: {phrase}.",
    microns_per_pixel=0.972,
    groups="The slide, from the column wsi of the meta files.",
    published={"train": 262_144, "heldout": 32_768, "test": 32_768},
    remarks="A positive label means tumour in the central 32 x 32 pixels, whatever lies around them. Scale: 0.243 "
    "microns at 40x, undersampled to 10x.",
)

breakhis = DataSet(
    name="breakhis",
    title="BreakHis: benign and malignant breast tumours",
    layout=Tree(
        variants={"BreaKHis_v1": {"histology_slides/breast": None}},
        pattern=r"(?P<malignancy>benign|malignant)/SOB/(?P<label>[a-z_]+)/[^/]+/(?P<magnification>\d+X)/"
        r"SOB_[BM]_[A-Z]+-(?P<group>\d+-[0-9A-Z]+)-\d+-\d+\.png",
        choices={"magnification": ("40X", "100X", "200X", "400X")},
    ),
    expects="  BreaKHis_v1/histology_slides/breast/benign/SOB/tubular_adenoma/SOB_B_TA_14-4659/40X/"
    "SOB_B_TA-14-4659-40-001.png",
    licence="CC-BY-4.0",
    page="https://web.inf.ufpr.br/vri/databases/breast-cancer-histopathological-database-breakhis/",
    source="Documentation of kaiko-ai/eva (docs/datasets/breakhis.md, licence too) and readers of the file names",
    citation="Spanhol et al., A dataset for breast cancer histopathological image classification, IEEE TBME 63(7) "
    "(2016)",
    attributes=("label", "malignancy"),
    classes={
        "adenosis": "adenosis",
        "fibroadenoma": "fibroadenoma",
        "phyllodes_tumor": "phyllodes tumour",
        "tubular_adenoma": "tubular adenoma",
        "ductal_carcinoma": "ductal carcinoma",
        "lobular_carcinoma": "lobular carcinoma",
        "mucinous_carcinoma": "mucinous carcinoma",
        "papillary_carcinoma": "papillary carcinoma",
    },
    template="Haematoxylin and eosin stained breast tissue: {phrase}, a {malignancy} tumour.",
    groups="The patient, as year and number in the file name (14-4659).",
    splits="ours",
    remarks="One magnification at a time: --suite-arg 'choose={magnification: 100X}'. Microns per pixel are left out: "
    "the magnifications are the microscope's, and the one figure found (0.25 for 40X, eva) was not confirmed.",
)

lc25000 = DataSet(
    name="lc25000",
    title="LC25000: lung and colon",
    layout=Tree(
        variants={"LC25000": {"lung_colon_image_set": None}},
        pattern=r"(?P<organ>lung|colon)_image_sets/(?P<label>(?:lung|colon)_[a-z]+)/[^/]+\.jpe?g",
    ),
    expects="  lung_colon_image_set/colon_image_sets/colon_aca/....jpeg\n"
    "  lung_colon_image_set/lung_image_sets/lung_scc/....jpeg",
    licence="not stated by its README ('freely available' in the paper)",
    page="https://github.com/tampapath/lung_colon_image_set",
    source="README of tampapath/lung_colon_image_set; the multiplying: secondary descriptions of arXiv 1912.12142",
    citation="Borkowski et al., Lung and colon cancer histopathological image dataset (LC25000), arXiv 1912.12142",
    attributes=("label", "organ"),
    classes={
        "colon_aca": "adenocarcinoma",
        "colon_n": "benign tissue",
        "lung_aca": "adenocarcinoma",
        "lung_n": "benign tissue",
        "lung_scc": "squamous cell carcinoma",
    },
    template="Haematoxylin and eosin stained {organ} tissue: {phrase}.",
    groups=_BY_IMAGE,
    splits="ours",
    published={"all": 25_000},
    remarks="The images were multiplied by turning and mirroring a smaller number of originals, so relatives lie on "
    "both sides of any split: `unipath-bench data check lc25000` looks for turned and mirrored copies too. "
    "Microns per pixel are not published.",
)

pannuke = DataSet(
    name="pannuke",
    title="PanNuke: 19 tissue types",
    layout=FoldArrays(),
    expects="  Fold 1/images/fold1/{images,types}.npy, and the same for folds 2 and 3",
    licence="CC-BY-NC-SA-4.0",
    page="https://warwick.ac.uk/fac/cross_fac/tia/data/pannuke",
    source="README of the release; folders as in pathml (pathml/datasets/pannuke.py); scale and fold sizes: hub mirror "
    "Angelou0516/PanNuke",
    citation="Gamper et al., PanNuke dataset extension, insights and baselines, arXiv 2003.10778",
    attributes=("label",),
    template="Haematoxylin and eosin stained tissue: {phrase}.",
    microns_per_pixel=0.25,
    groups=_BY_IMAGE,
    published={"train": 2_656, "heldout": 2_523, "test": 2_722},
    remarks="Labels are the tissue types; the nuclei's masks are not read. Folds 1, 2 and 3 are train, heldout and "
    "test; order=[2,3,1] turns them.",
)

quilt_1m = DataSet(
    name="quilt-1m",
    title="Quilt-1M: image and text pairs, many from videos",
    layout=CaptionTable(
        table="quilt_1M_lookup.csv",
        folders=("quilt_1m", "images"),
        columns={"image": "image_path", "text": "caption", "split": "split", "source": "subset"},
        splits={"train": "train", "val": "test"},
    ),
    expects="  quilt_1M_lookup.csv\n  quilt_1m/ (all image archives unpacked into it)",
    licence="restricted: research only, no further distribution (terms on the record)",
    page="https://zenodo.org/records/8239942",
    source="README of wisdomikezogwo/quilt1m; columns and splits: mmlearn "
    "(projects/med_benchmarking/datasets/quilt.py) and other readers of the table",
    citation="Ikezogwo et al., Quilt-1M: one million image-text pairs for histopathology, arXiv 2306.11207",
    attributes=("source",),
    groups=f"{_BY_IMAGE} Images of one video are related; the table has no column for the video.",
    gated=True,
    remarks="The split val is test here. Images have several scales; size=any where they are not the rescaled edition.",
)

arch = DataSet(
    name="arch",
    title="ARCH: figures of pathology books and articles with their captions",
    layout=CaptionBags(parts=("books_set", "pubmed_set"), absent=35),
    expects="  books_set/captions.json, books_set/images/UUID.png\n"
    "  pubmed_set/captions.json, pubmed_set/images/UUID.jpg",
    licence="CC-BY-NC-SA-4.0",
    page="https://warwick.ac.uk/fac/cross_fac/tia/data/arch",
    source="READMEs and captions.json of both sets, as in GeorgeBatch/arch-pre-training; its count of images",
    citation="Gamper and Rajpoot, Multiple instance captioning: learning representations from histopathology textbooks "
    "and articles (CVPR 2021), arXiv 2103.05121",
    groups="The figure (books) or the caption (articles): its images share one caption.",
    splits="ours",
    published={"all": 7_579},
    remarks="Several stains, scales and sizes (size=any). A caption may describe several images at once, by letters.",
)

pathmmu = DataSet(
    name="pathmmu",
    title="PathMMU: images of the multiple-choice benchmark",
    layout=QuestionDocument(
        subsets=("PubMed", "SocialPath", "EduContent", "Atlas", "PathCLS"),
        splits={"val": "heldout", "test": "test", "test_tiny": "test"},
    ),
    expects="  data.json\n  images/ (PubMed and EduContent from the hub, the others as the repository tells)",
    licence="CC-BY-ND-4.0",
    page="https://huggingface.co/datasets/jamessyx/PathMMU",
    source="README, data/instructions.md and eval code of PathMMU-Benchmark/PathMMU; licence: kaiko-ai/eva",
    citation="Sun et al., PathMMU: a massive multimodal expert-level benchmark for understanding and reasoning in "
    "pathology, arXiv 2401.16355",
    attributes=("label",),
    groups=_BY_IMAGE,
    gated=True,
    remarks="Test is test and test_tiny, as its own evaluation counts them; tiny=true takes test_tiny alone. Sizes "
    "differ: size=any.",
)

path_vqa = DataSet(
    name="path-vqa",
    title="PathVQA: images of the question-answering set",
    layout=ColumnMap(columns={"image": "image"}, distinct=True),
    expects="  data/{train,validation,test}-*.parquet; or --data flaviagiammarino/path-vqa --suite-arg revision=COMMIT",
    licence="MIT (of the hub copy; the images' copyrights stay with the books' and PEIR's owners)",
    page="https://huggingface.co/datasets/flaviagiammarino/path-vqa",
    source="README of flaviagiammarino/path-vqa on the hub and of UCSD-AI4H/PathVQA",
    citation="He et al., PathVQA: 30000+ questions for medical visual question answering, arXiv 2003.10286",
    groups=_BY_IMAGE,
    remarks="One sample an image: 32,632 rows ask several questions of one image. Sizes, stains and scales differ "
    "(size=any); there are gross photographs and drawings among them. No captions, so no prompts.",
)

tcga_patches = DataSet(
    name="tcga-patches",
    title="A folder of TCGA patches of your own",
    layout=Tree(
        variants={"folder": {"": None}},
        pattern=r"(?:(?P<split>train|test|val|valid|validation|heldout)/)?"
        r"(?:(?P<label>(?!TCGA-)[^/]+)/)?(?:[^/]+/)*?[^/]*?(?P<group>TCGA-[0-9A-Z]{2}-[0-9A-Z]{4}).*"
        r"\.(?:png|jpe?g|tiff?|PNG|JPE?G|TIFF?)",
    ),
    expects="  [SPLIT/][CLASS/]...TCGA-XX-XXXX... : the barcode in the file's or a folder's name",
    licence="as the National Cancer Institute states for TCGA (see page)",
    page="https://portal.gdc.cancer.gov",
    source="The barcode TCGA-XX-XXXX names the participant (TCGAutils::TCGAbarcode)",
    attributes=("label",),
    template="Haematoxylin and eosin stained tissue: {phrase}.",
    groups="The participant, from the barcode.",
    splits="ours",
    remarks="Microns per pixel depend on how you cut the patches: --suite-arg microns_per_pixel=0.5. Without SPLIT "
    "folders the splits are this project's folds by participant.",
)

unipath_68k = DataSet(
    name="unipath-68k",
    title="UniPath-68K: the paper's finely annotated subset",
    layout=ColumnMap(required=("image", "text")),
    expects="  Parquet files, or a CSV table and images (table=...); or --data minghaofdu/UniPath-68K --suite-arg "
    "revision=COMMIT",
    licence="not read: see the page (the model of the same authors is CC-BY-NC-ND-4.0)",
    page="https://huggingface.co/datasets/minghaofdu/UniPath-68K",
    source=_UNIPATH,
    citation="Han et al., Beyond pixel simulation (CVPR 2026), arXiv 2512.21058",
    groups="As you map them: the slides are TCGA's, so the participant in the slide's name.",
    gated=True,
    remarks="The columns could not be read: give --suite-arg 'columns={image: ..., text: ..., group: ...}'.",
)

unipath_1m = DataSet(
    name="unipath-1m",
    title="UniPath-1M: patches cut from slides of your own copy",
    layout=SlidePatches(),
    expects="  TABLE.csv with a slide, x and y a row, and the slides (.svs, .tiff ...) in a folder",
    licence="not read: see the page",
    page="https://huggingface.co/datasets/minghaofdu/UniPath-1M",
    source=_UNIPATH,
    citation="Han et al., Beyond pixel simulation (CVPR 2026), arXiv 2512.21058",
    groups="As you map them; without a group column, the slide.",
    splits="ours",
    gated=True,
    remarks="The columns could not be read: give --suite-arg table=TABLE.csv and 'columns={slide: ..., x: ..., y: ..., "
    "text: ...}'. Microns per pixel follow from the slides and side: --suite-arg microns_per_pixel=0.5.",
)

_PAPER = (
    "Named in the UniPath paper's tables; where its files lie and what its columns are called could not be read, so "
    "you say both."
)

high_quality_10k = DataSet(
    name="high-quality-10k",
    title="10K High-Quality Pathology 1.0 (the paper's CLIP-Score set)",
    layout=ColumnMap(required=("image", "text")),
    expects="  Parquet files, or a CSV table and images (table=...)",
    licence="not read",
    page="https://arxiv.org/abs/2512.21058",
    source="arXiv 2512.21058",
    citation="Han et al., Beyond pixel simulation (CVPR 2026), arXiv 2512.21058",
    groups="As you map them.",
    remarks=_PAPER,
)

t2i_i2i_merged = DataSet(
    name="t2i-i2i-merged",
    title="Pathological T2I/I2I Merged (the paper's FID and retrieval set)",
    layout=ColumnMap(required=("image", "text")),
    expects="  Parquet files, or a CSV table and images (table=...)",
    licence="not read",
    page="https://arxiv.org/abs/2512.21058",
    source="arXiv 2512.21058",
    citation="Han et al., Beyond pixel simulation (CVPR 2026), arXiv 2512.21058",
    groups="As you map them.",
    remarks=_PAPER,
)

fine_grained = DataSet(
    name="fine-grained",
    title="Cytology type (4 classes) and hemorrhage (2 classes) of the paper's control study",
    layout=ColumnMap(required=("image", "text", "cytology_type", "hemorrhage")),
    expects="  Parquet files, or a CSV table and images (table=...)",
    licence="not read",
    page="https://arxiv.org/abs/2512.21058",
    source="arXiv 2512.21058",
    citation="Han et al., Beyond pixel simulation (CVPR 2026), arXiv 2512.21058",
    attributes=("cytology_type", "hemorrhage"),
    groups="As you map them.",
    remarks=f"{_PAPER} The names of the classes were not published either: they are your columns' values.",
)

SETS = {
    entry.name: entry
    for entry in (
        kather_2016,
        nct_crc,
        pcam,
        breakhis,
        lc25000,
        pannuke,
        quilt_1m,
        arch,
        pathmmu,
        path_vqa,
        tcga_patches,
        unipath_68k,
        unipath_1m,
        high_quality_10k,
        t2i_i2i_merged,
        fine_grained,
    )
}
"""By name."""
