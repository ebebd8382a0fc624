"""Dense products and factors: numpy's and scipy's BLAS and LAPACK for tensors on the CPU, torch's own elsewhere.

On the CPU the matrix product of numpy's wheels (OpenBLAS) is up to twice as fast as torch's, and scipy gives
the symmetric rank-k update, which torch does not have.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import blas, lapack


def product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """Matrix product ``a @ b``, written to ``out`` where given."""
    if a.device.type != "cpu":
        return torch.matmul(a, b, out=out)
    if out is not None:
        np.matmul(a.numpy(), b.numpy(), out=out.numpy())
        return out
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))


def column_sums(rows: torch.Tensor) -> torch.Tensor:
    """Sums over the rows, (D,), float64."""
    if rows.device.type != "cpu":
        return rows.sum(0, dtype=torch.float64)
    return torch.from_numpy(rows.numpy().sum(0, dtype=np.float64))


def squared_lengths(rows: torch.Tensor) -> torch.Tensor:
    """Sum of the squares of each row, (n,), added up in float64."""
    if rows.device.type != "cpu":
        lengths: torch.Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        return lengths.square_()
    # Several times faster than a sum of torch's that changes its type.
    return torch.from_numpy(np.einsum("ij,ij->i", rows.numpy(), rows.numpy(), dtype=np.float64))


def empty_gram(width: int, device: torch.device) -> torch.Tensor:
    """Zero (width, width) float64 matrix in the layout that :func:`add_gram` updates in place."""
    # Transposed, so that the memory is column-major, as BLAS wants it.
    return torch.zeros(width, width, dtype=torch.float64, device=device).T


def add_gram(gram: torch.Tensor, rows: torch.Tensor) -> None:
    """Add ``rows.T @ rows`` to the upper triangle of ``gram`` (or to all of it), in place; both float64."""
    if rows.device.type != "cpu":
        gram.addmm_(rows.T, rows)
        return
    target = gram.numpy()
    updated = blas.dsyrk(1.0, rows.contiguous().numpy().T, beta=1.0, c=target, overwrite_c=1)
    if updated is not target and not np.shares_memory(updated, target):
        target[...] = updated


def symmetric_from_upper(gram: torch.Tensor) -> torch.Tensor:
    """New symmetric matrix that has the upper triangle of ``gram`` on both sides."""
    upper = torch.triu(gram)
    return upper + torch.triu(gram, 1).T


def eigenvalues(symmetric: torch.Tensor) -> torch.Tensor:
    """Eigenvalues of a symmetric float64 matrix, ascending.

    The reduction starts at the top left (LAPACK's UPLO = L): small eigenvalues of matrices graded downwards
    keep their digits.
    """
    if symmetric.device.type != "cpu":
        values: torch.Tensor = torch.linalg.eigvalsh(symmetric, UPLO="L")
        return values
    return torch.from_numpy(np.linalg.eigvalsh(symmetric.numpy(), UPLO="L"))


def singular_values(matrix: torch.Tensor) -> torch.Tensor:
    """Singular values, descending."""
    if matrix.device.type != "cpu":
        values: torch.Tensor = torch.linalg.svdvals(matrix)
        return values
    return torch.from_numpy(np.linalg.svd(matrix.numpy(), compute_uv=False))


def triangular_factor(rows: torch.Tensor) -> torch.Tensor:
    """R of the QR decomposition: ``R.T @ R == rows.T @ rows``, without forming that product."""
    factor: torch.Tensor = torch.linalg.qr(rows, mode="r").R
    return factor


def cholesky_factor(upper: torch.Tensor) -> torch.Tensor | None:
    """Return the upper U with U^T U the symmetric matrix that has this upper triangle.

    None where the matrix is not numerically positive definite.
    """
    if upper.device.type != "cpu":
        factor, info = torch.linalg.cholesky_ex(upper, upper=True)
        return None if int(info) else factor
    result, info = lapack.dpotrf(upper.numpy(), lower=0, clean=1)
    return None if info else torch.from_numpy(result)


def congruence(factor: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """U S U^T for an upper U and the symmetric S with the upper triangle given.

    By two triangular products: LAPACK's sygst takes fewer operations, but loses digits of the small
    eigenvalues.
    """
    symmetric = symmetric_from_upper(upper)
    if upper.device.type != "cpu":
        return factor @ symmetric @ factor.T
    right = blas.dtrmm(1.0, factor.numpy(), symmetric.numpy(), side=1, trans_a=1, overwrite_b=1)
    return torch.from_numpy(blas.dtrmm(1.0, factor.numpy(), right, side=0, overwrite_b=1))


def pivoted_factor(upper: torch.Tensor) -> torch.Tensor:
    """Return F of shape (rank, D) with F^T F the positive semi-definite matrix with this upper triangle, to rounding.

    Pivoted Cholesky (LAPACK pstrf); stops where the largest pivot left is below D * 2^-53 * max(diagonal).
    """
    factor, pivots, rank, _ = lapack.dpstrf(upper.cpu().numpy(), lower=0)
    rows = np.triu(factor)[:rank]
    result = np.zeros_like(rows)
    result[:, pivots - 1] = rows
    return torch.from_numpy(result).to(upper.device)
